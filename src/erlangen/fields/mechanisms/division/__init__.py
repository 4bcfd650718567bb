"""Fair division of items that some like and others dislike."""
