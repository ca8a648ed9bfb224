"""CloudWatch whose statistics are exact and whose alarms evaluate."""
