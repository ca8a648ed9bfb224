"""Policy packs through Pulumi's analyzer protocol (placeholder of the interface until packs are started)."""

from infra.local.engine.resources import Resource


class Policies:
    """No packs."""

    def resource(self, resource: Resource) -> None:
        """Check one resource before it is made."""
