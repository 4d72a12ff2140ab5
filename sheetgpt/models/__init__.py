"""What a model is: its sizes, weights, vocabulary, and the independent reference."""
