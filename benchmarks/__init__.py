"""What is measured, side by side with a peer or the physical limit. `python -m benchmarks` says how."""
