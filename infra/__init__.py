"""The foundation every stage stands on, and the local machine that stands in for AWS."""
