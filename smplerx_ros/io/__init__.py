"""Input and output of files: images, videos, results, archives, benchmark reports and the cache."""
