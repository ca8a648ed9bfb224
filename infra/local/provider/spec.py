"""The table's vocabulary: what a row says about one resource type."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .names import Name

# Codes that mean "there is no such thing" whatever the service; a row adds its own.
MISSING_CODES = frozenset(("ResourceNotFoundException", "NotFoundException", "ResourceNotFound", "NoSuchEntity", "404"))

Template = Any
"""Parameters with `{property}` holes, filled from inputs, state, `id`, `token`, `account`, `region` and `partition`.

A string that is one hole takes the property's value as it is; a member whose hole is empty is left out.
"""


@dataclass(frozen=True, kw_only=True)
class Call:
    """One call of one operation."""

    operation: str
    params: Mapping[str, Template] = field(default_factory=dict[str, Any])
    """Parameters beside the converted properties, as a template."""
    send: tuple[str, ...] = ()
    """Input properties converted into parameters. In a create, none named means all the operation has a member for; in
    an update, they are also what triggers the call."""
    into: str = ""
    """Dotted path of the structure that the properties sent are members of; empty is the operation's input itself."""
    when: tuple[str, ...] = ()
    """In an update, properties whose change triggers the call without being converted."""


@dataclass(frozen=True, kw_only=True)
class Read(Call):
    """A call whose answer is, or adds to, what a resource is read from."""

    select: str = "@"
    """JMESPath to the part wanted; nothing there means there is no such resource."""
    at: str = ""
    """Member the part is put under; empty merges it in."""
    absent: frozenset[str] = frozenset()
    """Error codes that mean this part is not set."""


@dataclass(frozen=True, kw_only=True)
class Tagging:
    """How a type's tags are written and read."""

    member: str = "Tags"
    """Member of the create operation that takes tags; empty when tags are put after the creation."""
    ec2_type: str = ""
    """EC2's resource type: create takes `TagSpecifications` and tags live under the id."""
    read: Read | None = None
    """Where tags are read when the resource's own answer does not hold them."""
    tag: Call | None = None
    """Adds tags; the tags fill its one tag member."""
    untag: Call | None = None
    """Removes tags by key; None where `tag` replaces the whole set."""


@dataclass(frozen=True, kw_only=True)
class Spec:
    """One resource type: a row of the table."""

    type: str
    """Pulumi's token of the type, as `aws:s3/bucket:Bucket`."""
    service: str
    """botocore's service name."""
    id: str
    """The resource's id: a template over its inputs, or a JMESPath into create's answer when it begins with `@`."""
    create: Call
    read: Read
    more: tuple[Read, ...] = ()
    """Further reads, after the first found the resource."""
    updates: tuple[Call, ...] = ()
    delete: Call | None
    """None where AWS deletes it with its parent."""
    tags: Tagging | None = None
    name: Name | None = None
    find: Read | None = None
    """How a resource that an interrupted create left is found; its selection is the id. A type whose id is a template
    over its inputs needs none: it is read by that id. Other calls get the marker tag by the `{token}` hole."""
    exclusive: bool = True
    """Whether what is found by name and does not carry our marker is someone else's, and so an error."""
    replace: frozenset[str] = frozenset()
    """Dotted paths of the properties that cannot change in place."""
    delete_before_replace: bool = False
    rename: Mapping[str, str] = field(default_factory=dict[str, str])
    """Dotted Pulumi path → member, or several in order of preference parted by `|`; empty where AWS has none."""
    to_aws: Mapping[str, Callable[[Any], Any]] = field(default_factory=dict[str, Callable[[Any], Any]])
    from_aws: Mapping[str, Callable[[Any], Any]] = field(default_factory=dict[str, Callable[[Any], Any]])
    defaults: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What check fills in, as the AWS provider does."""
    computed: frozenset[str] = frozenset()
    """Dotted paths that AWS fills in when the program leaves them out: their values are then no difference."""
    local: frozenset[str] = frozenset()
    """Inputs that steer the provider and that AWS does not keep."""
    handled: frozenset[str] = frozenset()
    """Inputs that the type's handler sends by itself."""
    unsupported: frozenset[str] = frozenset()
    """Inputs that are refused."""
    documents: frozenset[str] = frozenset()
    """Dotted paths of JSON documents, compared by what they mean."""
    canonical: Mapping[str, Callable[[Any], Any]] = field(default_factory=dict[str, Callable[[Any], Any]])
    """By property: what a value means, where spelling differs in a way of the type's own."""
    ordered: frozenset[str] = frozenset()
    """Dotted paths of lists whose order counts; every other list is a set."""
    secrets: frozenset[str] = frozenset()
    """Outputs that are always secret."""
    flatten: tuple[str, ...] = ()
    """Members of the answer whose own members are read as if they stood beside them."""
    outputs: Mapping[str, str] = field(default_factory=dict[str, str])
    """Templates of outputs that no answer of AWS holds."""
    missing: frozenset[str] = frozenset()
    """Error codes of this type that mean it does not exist."""

    @property
    def marked(self) -> bool:
        """Whether resources of this type carry the marker tag."""
        return self.tags is not None

    def is_missing(self, code: str, message: str) -> bool:
        """Whether a refusal means that the resource does not exist."""
        gone = code in MISSING_CODES or code in self.missing or code.endswith((".NotFound", "NotFound"))
        return gone or (code == "ValidationException" and ("Could not find" in message or "does not exist" in message))
