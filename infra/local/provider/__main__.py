"""`python -m infra.local.provider`: the plugin process."""

from .plugin import serve

serve()
