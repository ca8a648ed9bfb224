"""The platform on one machine: an embedded AWS, a provider over it, and an engine that deploys to it."""
