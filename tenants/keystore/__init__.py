"""The keys database: wrapped data keys, and nothing else."""
