"""What is learned of people: which attributes tell, clusters, predictions, how good they are."""
