"""Commands as jobs: tasks of a Slurm array, or processes of this machine; submitit starts them."""
