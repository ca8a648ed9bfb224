"""The functions of the AWS provider that programs call."""

from collections.abc import Callable, Mapping
from typing import Any

from infra.local.errors import LocalError

from .cloud import Cloud
from .values import sequence

Arguments = dict[str, Any]
Result = dict[str, Any]


def caller_identity(cloud: Cloud, arguments: Arguments) -> Result:
    """Who the credentials belong to."""
    del arguments
    answer = cloud.call("sts", "GetCallerIdentity", {})
    account = cloud.account
    return {"accountId": account, "arn": answer["Arn"], "userId": answer["UserId"], "id": account}


def region(cloud: Cloud, arguments: Arguments) -> Result:
    """The region asked for, or the provider's."""
    name = arguments.get("region") or arguments.get("name") or cloud.settings.region
    found = cloud.call("ec2", "DescribeRegions", {"RegionNames": [name]}, name)["Regions"][0]
    return {
        "id": name,
        "name": name,
        "region": name,
        "description": name,
        "endpoint": f"ec2.{name}.amazonaws.com",
        "optInStatus": found.get("OptInStatus", "opt-in-not-required"),
    }


def partition(cloud: Cloud, arguments: Arguments) -> Result:
    """The partition of the provider's region."""
    del cloud, arguments
    return {"id": "aws", "partition": "aws", "dnsSuffix": "amazonaws.com", "reverseDnsPrefix": "com.amazonaws"}


def availability_zones(cloud: Cloud, arguments: Arguments) -> Result:
    """The zones of the region, filtered as asked."""
    filters = [{"Name": one["name"], "Values": one["values"]} for one in sequence(arguments.get("filters"))]
    if arguments.get("state"):
        filters.append({"Name": "state", "Values": [arguments["state"]]})
    where = arguments.get("region") or cloud.settings.region
    answer = cloud.call("ec2", "DescribeAvailabilityZones", {"Filters": filters}, where)
    excluded = {*sequence(arguments.get("excludeNames")), *sequence(arguments.get("excludeZoneIds"))}
    zones = [
        zone
        for zone in sorted(answer["AvailabilityZones"], key=lambda zone: zone["ZoneName"])
        if zone["ZoneName"] not in excluded and zone.get("ZoneId") not in excluded
    ]
    return {
        **arguments,
        "id": where,
        "region": where,
        "names": [zone["ZoneName"] for zone in zones],
        "zoneIds": [zone.get("ZoneId", "") for zone in zones],
        "groupNames": sorted({zone.get("GroupName") or where for zone in zones}),
    }


def parameters_by_path(cloud: Cloud, arguments: Arguments) -> Result:
    """The parameters below a path, perhaps none. The values are secret."""
    decrypt = arguments.get("withDecryption", True)
    request = {"Path": arguments["path"], "WithDecryption": decrypt, "Recursive": bool(arguments.get("recursive"))}
    where = arguments.get("region") or cloud.settings.region
    found: list[dict[str, Any]] = []
    token: str | None = None
    while True:
        page = cloud.call("ssm", "GetParametersByPath", {**request, **({"NextToken": token} if token else {})}, where)
        found += page["Parameters"]
        token = page.get("NextToken")
        if not token:
            break
    found.sort(key=lambda parameter: parameter["Name"])
    return {
        "id": arguments["path"],
        "path": arguments["path"],
        "recursive": bool(arguments.get("recursive")),
        "withDecryption": decrypt,
        "region": where,
        "arns": [parameter.get("ARN", "") for parameter in found],
        "names": [parameter["Name"] for parameter in found],
        "types": [parameter["Type"] for parameter in found],
        "values": [parameter["Value"] for parameter in found],
    }


def prefix_list(cloud: Cloud, arguments: Arguments) -> Result:
    """The prefix list of a service, by name or id."""
    where = arguments.get("region") or cloud.settings.region
    filters = [{"Name": one["name"], "Values": one["values"]} for one in sequence(arguments.get("filters"))]
    if arguments.get("name"):
        filters.append({"Name": "prefix-list-name", "Values": [arguments["name"]]})
    if arguments.get("prefixListId"):
        filters.append({"Name": "prefix-list-id", "Values": [arguments["prefixListId"]]})
    found = _only(cloud.call("ec2", "DescribePrefixLists", {"Filters": filters}, where)["PrefixLists"], arguments)
    return {
        "id": found["PrefixListId"],
        "prefixListId": found["PrefixListId"],
        "name": found["PrefixListName"],
        "cidrBlocks": found.get("Cidrs", []),
        "region": where,
    }


def managed_prefix_list(cloud: Cloud, arguments: Arguments) -> Result:
    """A managed prefix list, AWS's own among them, by name or id."""
    where = arguments.get("region") or cloud.settings.region
    filters = [{"Name": one["name"], "Values": one["values"]} for one in sequence(arguments.get("filters"))]
    if arguments.get("name"):
        filters.append({"Name": "prefix-list-name", "Values": [arguments["name"]]})
    if arguments.get("id"):
        filters.append({"Name": "prefix-list-id", "Values": [arguments["id"]]})
    lists = cloud.call("ec2", "DescribeManagedPrefixLists", {"Filters": filters}, where)["PrefixLists"]
    found = _only(lists, arguments)
    entries = cloud.call("ec2", "GetManagedPrefixListEntries", {"PrefixListId": found["PrefixListId"]}, where)[
        "Entries"
    ]
    return {
        "id": found["PrefixListId"],
        "name": found["PrefixListName"],
        "arn": found["PrefixListArn"],
        "addressFamily": found.get("AddressFamily", "IPv4"),
        "maxEntries": found.get("MaxEntries", 0),
        "ownerId": found.get("OwnerId", ""),
        "version": found.get("Version", 0),
        "tags": {tag["Key"]: tag["Value"] for tag in sequence(found.get("Tags"))},
        "entries": [{"cidr": entry["Cidr"], "description": entry.get("Description", "")} for entry in entries],
        "region": where,
    }


def _only(found: list[dict[str, Any]], arguments: Arguments) -> dict[str, Any]:
    wanted = {name: value for name, value in arguments.items() if value is not None}
    exact = [one for one in found if one.get("PrefixListName") == wanted.get("name", one.get("PrefixListName"))]
    if len(exact) != 1:
        raise LocalError(f"{len(exact)} prefix lists match {wanted}; name exactly one that exists")
    return exact[0]


INVOKES: Mapping[str, Callable[[Cloud, Arguments], Result]] = {
    "aws:index/getCallerIdentity:getCallerIdentity": caller_identity,
    "aws:index/getRegion:getRegion": region,
    "aws:index/getPartition:getPartition": partition,
    "aws:index/getAvailabilityZones:getAvailabilityZones": availability_zones,
    "aws:ssm/getParametersByPath:getParametersByPath": parameters_by_path,
    "aws:ec2/getPrefixList:getPrefixList": prefix_list,
    "aws:ec2/getManagedPrefixList:getManagedPrefixList": managed_prefix_list,
}
"""By the function's token."""
