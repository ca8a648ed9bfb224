"""What each stage of the platform is made of."""
