"""The HTTP service of experiments: configurations, events, decisions and reports, with its state in DynamoDB."""
