"""What is learned of people: which attributes tell, clusters, predictions, how good they are."""

import os

# scikit-learn's threads wait asleep: awake, they cost as much again beside whatever else runs.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
