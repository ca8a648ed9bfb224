"""URNs: `urn:pulumi:<stack>::<project>::<parent type>$<type>::<name>`."""

STACK_TYPE = "pulumi:pulumi:Stack"
PROVIDER_PREFIX = "pulumi:providers:"


def make(stack: str, project: str, parent: str, type_: str, name: str) -> str:
    """The URN of a resource; its type is qualified by its parent's, except directly under the stack."""
    qualifier = qualified_type(parent) if parent else ""
    qualified = f"{qualifier}${type_}" if qualifier and qualifier != STACK_TYPE else type_
    return f"urn:pulumi:{stack}::{project}::{qualified}::{name}"


def qualified_type(urn: str) -> str:
    """The type with its parents' types, `$` between them."""
    return urn.split("::", 3)[2]


def type_of(urn: str) -> str:
    """The resource's own type token."""
    return qualified_type(urn).rsplit("$", 1)[-1]


def name_of(urn: str) -> str:
    """The resource's name."""
    return urn.split("::", 3)[3]


def is_provider_type(type_: str) -> bool:
    """Whether the type is that of a provider resource, `pulumi:providers:<package>`."""
    return type_.startswith(PROVIDER_PREFIX)


def package_of(type_: str) -> str:
    """The package whose provider handles the type."""
    if is_provider_type(type_):
        return type_.removeprefix(PROVIDER_PREFIX)
    return type_.split(":", 1)[0]


def is_default_provider(urn: str) -> bool:
    """Whether the URN is that of a provider the engine made because the program named none."""
    name = name_of(urn)
    return is_provider_type(type_of(urn)) and (name == "default" or name.startswith("default_"))


def default_provider_name(version: str) -> str:
    """`default`, or `default_7_51_1` for version 7.51.1."""
    return "default" + "".join(f"_{part}" for part in version.replace("+", ".").replace("-", ".").split(".") if part)


def split_reference(reference: str) -> tuple[str, str]:
    """A provider reference `<urn>::<id>` as (urn, id)."""
    urn, _, identifier = reference.rpartition("::")
    return urn, identifier
