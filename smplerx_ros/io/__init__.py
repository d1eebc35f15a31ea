"""Files in and out: images, videos, results, archives, reports and the cache."""
