"""What turns observations into bodies: `lite`, SMPLer-X and SMPLest-X, and the table of them."""
