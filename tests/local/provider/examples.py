"""One example of every resource type: inputs, a change in place, and a change made behind the provider's back."""

import io
import json
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .stack import Deployed, Stack

Drift = Callable[[Stack, Deployed], None]


@dataclass(frozen=True)
class Example:
    """How a type is exercised."""

    inputs: Callable[[Stack], dict[str, Any]]
    change: Mapping[str, Any] | None = field(default_factory=lambda: {"tags": {"Stage": "serving"}})
    """Inputs of an update in place; None where every change replaces."""
    drift: Drift | None = None
    """The change behind the provider's back."""
    drifted: str = ""
    """The property that the drift shows in; empty where the drift deletes the resource."""
    remains: bool = False
    """Whether AWS keeps it when it is deleted."""


def shared(stack: Stack, token: str, name: str, /, **inputs: Any) -> Deployed:
    """A parent that examples of one module use together."""
    for deployed in stack.deployed:
        if (deployed.token, deployed.name) == (token, name):
            return deployed
    return stack.create(token, name, dict(inputs))


def vpc(stack: Stack) -> str:
    return shared(stack, "aws:ec2/vpc:Vpc", "shared", cidrBlock="10.9.0.0/16", enableDnsHostnames=True).id


def subnets(stack: Stack) -> list[str]:
    zones = {"a": "10.9.0.0/24", "b": "10.9.1.0/24"}
    return [
        shared(
            stack,
            "aws:ec2/subnet:Subnet",
            f"shared-{zone}",
            vpcId=vpc(stack),
            cidrBlock=block,
            availabilityZone=f"eu-west-1{zone}",
        ).id
        for zone, block in zones.items()
    ]


def route_table(stack: Stack) -> str:
    return shared(stack, "aws:ec2/routeTable:RouteTable", "shared", vpcId=vpc(stack)).id


def group(stack: Stack) -> str:
    return shared(stack, "aws:ec2/securityGroup:SecurityGroup", "shared", vpcId=vpc(stack)).id


def key(stack: Stack) -> str:
    return shared(stack, "aws:kms/key:Key", "shared", description="shared").outputs["arn"]


def bucket(stack: Stack, name: str = "shared") -> str:
    return shared(stack, "aws:s3/bucket:Bucket", name, forceDestroy=True).id


def log_bucket(stack: Stack) -> str:
    name = bucket(stack, "logs")
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "logging.s3.amazonaws.com"},
        "Action": "s3:PutObject",
        "Resource": f"arn:aws:s3:::{name}/*",
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    shared(stack, "aws:s3/bucketPolicy:BucketPolicy", "logs", bucket=name, policy=policy)
    return name


def trust(service: str) -> str:
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def allow(action: str, resource: str = "*") -> str:
    return json.dumps(
        {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": [action], "Resource": resource}]}
    )


def role(stack: Stack, name: str = "shared") -> Deployed:
    return shared(stack, "aws:iam/role:Role", name, assumeRolePolicy=trust("sagemaker.amazonaws.com"))


def image(stack: Stack) -> str:
    """The smallest image there is, in the registry."""
    repository = shared(stack, "aws:ecr/repository:Repository", "tiny", forceDelete=True)
    manifest: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {
            "mediaType": "application/vnd.oci.empty.v1+json",
            "digest": "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
            "size": 2,
        },
        "layers": [],
        "annotations": {"mlp.image.folder": "tests/support/images/tiny"},
    }
    ecr = stack.client("ecr")
    if not ecr.list_images(repositoryName=repository.id)["imageIds"]:
        ecr.put_image(repositoryName=repository.id, imageManifest=json.dumps(manifest), imageTag="one")
    return f"{repository.outputs['repositoryUrl']}:one"


def model_data(stack: Stack) -> str:
    """An archive with one file."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        entry = tarfile.TarInfo("model.json")
        entry.size = 2
        archive.addfile(entry, io.BytesIO(b"{}"))
    stack.client("s3").put_object(Bucket=bucket(stack), Key="model.tar.gz", Body=content.getvalue())
    return f"s3://{bucket(stack)}/model.tar.gz"


def _images_kept(count: int) -> str:
    selection = {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": count}
    return json.dumps({"rules": [{"rulePriority": 1, "selection": selection, "action": {"type": "expire"}}]})


def _task(stack: Stack) -> dict[str, Any]:
    container = {
        "name": "server",
        "image": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/mlp/registry:abc",
        "portMappings": [{"containerPort": 5000}],
        "environment": [{"name": "PORT", "value": "5000"}, {"name": "BIND_ADDRESS", "value": "0.0.0.0"}],  # noqa: S104  # what a container binds
        "mountPoints": [{"sourceVolume": "tmp", "containerPath": "/tmp"}],  # noqa: S108  # a path in a container
        "readonlyRootFilesystem": True,
    }
    return {
        "family": "registry",
        "containerDefinitions": json.dumps([container]),
        "cpu": "512",
        "memory": "1024",
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"],
        "executionRoleArn": role(stack).outputs["arn"],
        "taskRoleArn": role(stack).outputs["arn"],
        "runtimePlatform": {"cpuArchitecture": "X86_64", "operatingSystemFamily": "LINUX"},
        "volumes": [{"name": "tmp"}],
        "tags": TAGS,
    }


def _target_group(stack: Stack) -> dict[str, Any]:
    return {
        "port": 5000,
        "protocol": "HTTP",
        "targetType": "ip",
        "vpcId": vpc(stack),
        "deregistrationDelay": 30,
        "healthCheck": {"path": "/health", "matcher": "200", "interval": 15, "timeout": 5},
        "tags": TAGS,
    }


def _unhealthy(stack: Stack, one: Deployed) -> None:
    stack.client("elbv2").modify_target_group(TargetGroupArn=one.id, HealthCheckPath="/other")


def _third_subnet(stack: Stack) -> str:
    return shared(stack, "aws:ec2/subnet:Subnet", "third", vpcId=vpc(stack), cidrBlock="10.9.3.0/24").id


def _model(stack: Stack) -> dict[str, Any]:
    return {
        "executionRoleArn": role(stack).outputs["arn"],
        "enableNetworkIsolation": True,
        "primaryContainer": {
            "image": image(stack),
            "modelDataUrl": model_data(stack),
            "environment": {"SAGEMAKER_PROGRAM": "serve.py"},
        },
        "vpcConfig": {"subnets": subnets(stack), "securityGroupIds": [group(stack)]},
        "tags": TAGS,
    }


def _endpoint_configuration(stack: Stack) -> dict[str, Any]:
    return {
        "kmsKeyArn": key(stack),
        "productionVariants": [
            {
                "variantName": "a",
                "modelName": shared(stack, "aws:sagemaker/model:Model", "shared", **_model(stack)).id,
                "instanceType": "ml.m5.large",
                "initialInstanceCount": 1,
                "initialVariantWeight": 100,
            }
        ],
        "dataCaptureConfig": {
            "enableCapture": True,
            "initialSamplingPercentage": 100,
            "destinationS3Uri": f"s3://{bucket(stack)}/capture",
            "captureOptions": [{"captureMode": "Input"}, {"captureMode": "Output"}],
        },
        "tags": TAGS,
    }


def _scaled(stack: Stack) -> dict[str, Any]:
    service = shared(
        stack,
        "aws:ecs/service:Service",
        "scaled",
        name="scaled",
        cluster=shared(stack, "aws:ecs/cluster:Cluster", "shared").id,
        taskDefinition=shared(stack, "aws:ecs/taskDefinition:TaskDefinition", "shared", **_task(stack)).id,
        desiredCount=1,
        launchType="FARGATE",
        networkConfiguration={"subnets": subnets(stack), "securityGroups": [group(stack)]},
    )
    return {
        "serviceNamespace": "ecs",
        "resourceId": "/".join(("service", *service.id.split("/")[1:])),
        "scalableDimension": "ecs:service:DesiredCount",
    }


def _registered(stack: Stack) -> dict[str, Any]:
    shared(stack, "aws:appautoscaling/target:Target", "shared", **_scaled(stack), minCapacity=1, maxCapacity=2)
    return _scaled(stack)


def ec2_tag(stack: Stack, resource: Deployed) -> None:
    stack.client("ec2").create_tags(Resources=[resource.id], Tags=[{"Key": "Owner", "Value": "someone"}])


TAGS = {"Environment": "test", "Stage": "training"}

EXAMPLES: dict[str, Example] = {
    "aws:ec2/vpc:Vpc": Example(
        lambda _: {"cidrBlock": "10.0.0.0/16", "enableDnsHostnames": True, "tags": TAGS},
        {"enableDnsHostnames": False},
        lambda stack, one: stack.client("ec2").modify_vpc_attribute(VpcId=one.id, EnableDnsSupport={"Value": False}),
        "enableDnsSupport",
    ),
    "aws:ec2/subnet:Subnet": Example(
        lambda stack: {"vpcId": vpc(stack), "cidrBlock": "10.9.7.0/24", "availabilityZone": "eu-west-1a", "tags": TAGS},
        {"mapPublicIpOnLaunch": True},
        lambda stack, one: stack.client("ec2").modify_subnet_attribute(
            SubnetId=one.id, MapPublicIpOnLaunch={"Value": True}
        ),
        "mapPublicIpOnLaunch",
    ),
    "aws:ec2/routeTable:RouteTable": Example(
        lambda stack: {"vpcId": vpc(stack), "tags": TAGS}, drift=ec2_tag, drifted="tags.Owner"
    ),
    "aws:ec2/routeTableAssociation:RouteTableAssociation": Example(
        lambda stack: {"routeTableId": route_table(stack), "subnetId": subnets(stack)[0]}, None
    ),
    "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup": Example(
        lambda stack: {"vpcId": shared(stack, "aws:ec2/vpc:Vpc", "closed", cidrBlock="10.8.0.0/16").id, "tags": TAGS},
        drift=lambda stack, one: stack.client("ec2").authorize_security_group_ingress(
            GroupId=one.id, IpProtocol="tcp", FromPort=22, ToPort=22, CidrIp="0.0.0.0/0"
        ),
        drifted="ingress",
        remains=True,
    ),
    "aws:ec2/securityGroup:SecurityGroup": Example(
        lambda stack: {
            "vpcId": vpc(stack),
            "description": "example",
            "egress": [{"protocol": "-1", "fromPort": 0, "toPort": 0, "cidrBlocks": ["0.0.0.0/0"]}],
            "ingress": [
                {"protocol": "tcp", "fromPort": 443, "toPort": 443, "cidrBlocks": ["10.0.0.0/8"], "self": True}
            ],
            "tags": TAGS,
        },
        {"ingress": []},
        lambda stack, one: stack.client("ec2").authorize_security_group_ingress(
            GroupId=one.id, IpProtocol="tcp", FromPort=22, ToPort=22, CidrIp="0.0.0.0/0"
        ),
        "ingress",
    ),
    "aws:ec2/flowLog:FlowLog": Example(
        lambda stack: {
            "vpcId": vpc(stack),
            "trafficType": "ALL",
            "logDestinationType": "s3",
            "logDestination": f"arn:aws:s3:::{bucket(stack)}",
            "tags": TAGS,
        },
        drift=ec2_tag,
        drifted="tags.Owner",
    ),
    "aws:ec2/vpcEndpoint:VpcEndpoint": Example(
        lambda stack: {
            "vpcId": vpc(stack),
            "serviceName": "com.amazonaws.eu-west-1.s3",
            "routeTableIds": [route_table(stack)],
            "tags": TAGS,
        },
        drift=lambda stack, one: stack.client("ec2").modify_vpc_endpoint(
            VpcEndpointId=one.id, RemoveRouteTableIds=one.outputs["routeTableIds"]
        ),
        drifted="routeTableIds",
    ),
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": Example(
        lambda stack: {
            "securityGroupId": group(stack),
            "ipProtocol": "tcp",
            "fromPort": 5432,
            "toPort": 5432,
            "cidrIpv4": "10.0.0.0/8",
            "description": "database",
            "tags": TAGS,
        },
        {"description": "the database"},
        lambda stack, one: stack.client("ec2").modify_security_group_rules(
            GroupId=one.outputs["securityGroupId"],
            SecurityGroupRules=[
                {
                    "SecurityGroupRuleId": one.id,
                    "SecurityGroupRule": {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 5432, "CidrIpv4": "10.0.0.0/8"},
                }
            ],
        ),
        "fromPort",
    ),
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": Example(
        lambda stack: {
            "securityGroupId": group(stack),
            "ipProtocol": "-1",
            "referencedSecurityGroupId": group(stack),
            "tags": TAGS,
        },
        drift=ec2_tag,
        drifted="tags.Owner",
    ),
    "aws:kms/key:Key": Example(
        lambda _: {
            "description": "example",
            "enableKeyRotation": True,
            "deletionWindowInDays": 7,
            "policy": allow("kms:*").replace(
                '"Effect"', '"Principal": {"AWS": "arn:aws:iam::123456789012:root"}, "Effect"'
            ),
            "tags": TAGS,
        },
        {"description": "another"},
        lambda stack, one: stack.client("kms").disable_key_rotation(KeyId=one.id),
        "enableKeyRotation",
    ),
    "aws:kms/alias:Alias": Example(
        lambda stack: {"name": "alias/example", "targetKeyId": key(stack)},
        None,
        lambda stack, one: stack.client("kms").update_alias(
            AliasName=one.id, TargetKeyId=shared(stack, "aws:kms/key:Key", "other").id
        ),
        "targetKeyId",
    ),
    "aws:s3/bucket:Bucket": Example(
        lambda _: {"forceDestroy": True, "tags": TAGS},
        {"tags": {"Stage": "serving"}},
        lambda stack, one: stack.client("s3").delete_bucket_tagging(Bucket=one.id),
        "tags",
    ),
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": Example(
        lambda stack: {"bucket": bucket(stack), "blockPublicAcls": True, "blockPublicPolicy": True},
        {"ignorePublicAcls": True},
        lambda stack, one: stack.client("s3").delete_public_access_block(Bucket=one.id),
        "",
    ),
    "aws:s3/bucketOwnershipControls:BucketOwnershipControls": Example(
        lambda stack: {"bucket": bucket(stack), "rule": {"objectOwnership": "BucketOwnerEnforced"}},
        {"rule": {"objectOwnership": "BucketOwnerPreferred"}},
        lambda stack, one: stack.client("s3").put_bucket_ownership_controls(
            Bucket=one.id, OwnershipControls={"Rules": [{"ObjectOwnership": "ObjectWriter"}]}
        ),
        "rule.objectOwnership",
    ),
    "aws:s3/bucketVersioning:BucketVersioning": Example(
        lambda stack: {"bucket": bucket(stack), "versioningConfiguration": {"status": "Enabled"}},
        {"versioningConfiguration": {"status": "Suspended"}},
        lambda stack, one: stack.client("s3").put_bucket_versioning(
            Bucket=one.id, VersioningConfiguration={"Status": "Suspended"}
        ),
        "versioningConfiguration.status",
        remains=True,
    ),
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": Example(
        lambda stack: {
            "bucket": bucket(stack),
            "rules": [
                {
                    "applyServerSideEncryptionByDefault": {"sseAlgorithm": "aws:kms", "kmsMasterKeyId": key(stack)},
                    "bucketKeyEnabled": True,
                }
            ],
        },
        {"rules": [{"applyServerSideEncryptionByDefault": {"sseAlgorithm": "AES256"}}]},
        lambda stack, one: stack.client("s3").put_bucket_encryption(
            Bucket=one.id,
            ServerSideEncryptionConfiguration={
                "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
            },
        ),
        "rules[0].applyServerSideEncryptionByDefault.sseAlgorithm",
    ),
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": Example(
        lambda stack: {
            "bucket": bucket(stack),
            "rules": [
                {
                    "id": "old",
                    "status": "Enabled",
                    "filter": {"prefix": "raw/"},
                    "expiration": {"days": 30},
                    "noncurrentVersionExpiration": {"noncurrentDays": 7},
                    "transitions": [{"days": 10, "storageClass": "INTELLIGENT_TIERING"}],
                },
                {"id": "uploads", "status": "Enabled", "abortIncompleteMultipartUpload": {"daysAfterInitiation": 7}},
            ],
        },
        {"rules": [{"id": "old", "status": "Disabled", "expiration": {"days": 60}}]},
        lambda stack, one: stack.client("s3").delete_bucket_lifecycle(Bucket=one.id),
        "",
    ),
    "aws:s3/bucketLogging:BucketLogging": Example(
        lambda stack: {"bucket": bucket(stack), "targetBucket": log_bucket(stack), "targetPrefix": "access/"},
        {"targetPrefix": "s3/"},
        lambda stack, one: stack.client("s3").put_bucket_logging(Bucket=one.id, BucketLoggingStatus={}),
        "",
    ),
    "aws:s3/bucketPolicy:BucketPolicy": Example(
        lambda stack: {
            "bucket": bucket(stack),
            "policy": json.dumps(
                {
                    "Version": "2012-10-17",
                    "Statement": [
                        {
                            "Effect": "Deny",
                            "Principal": "*",
                            "Action": "s3:*",
                            "Resource": f"arn:aws:s3:::{bucket(stack)}",
                            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                        }
                    ],
                }
            ),
        },
        None,
        lambda stack, one: stack.client("s3").delete_bucket_policy(Bucket=one.id),
        "",
    ),
    "aws:s3/bucketObjectv2:BucketObjectv2": Example(
        lambda stack: {
            "bucket": bucket(stack),
            "key": "outputs/document.json",
            "content": "{}",
            "contentType": "application/json",
            "tags": TAGS,
        },
        {"content": '{"a": 1}'},
        lambda stack, one: stack.client("s3").put_object(
            Bucket=one.outputs["bucket"], Key=one.outputs["key"], Body=b"other", ContentType="application/json"
        ),
        "content",
    ),
    "aws:iam/role:Role": Example(
        lambda _: {"assumeRolePolicy": trust("sagemaker.amazonaws.com"), "description": "example", "tags": TAGS},
        {"maxSessionDuration": 7200, "description": "another"},
        lambda stack, one: stack.client("iam").update_assume_role_policy(
            RoleName=one.id, PolicyDocument=trust("ec2.amazonaws.com")
        ),
        "assumeRolePolicy",
    ),
    "aws:iam/rolePolicy:RolePolicy": Example(
        lambda stack: {"role": role(stack).id, "policy": allow("s3:GetObject")},
        {"policy": allow("s3:PutObject")},
        lambda stack, one: stack.client("iam").put_role_policy(
            RoleName=one.outputs["role"], PolicyName=one.outputs["name"], PolicyDocument=allow("*")
        ),
        "policy",
    ),
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment": Example(
        lambda stack: {
            "role": role(stack).id,
            "policyArn": shared(stack, "aws:iam/policy:Policy", "shared", policy=allow("s3:GetObject")).id,
        },
        None,
        lambda stack, one: stack.client("iam").detach_role_policy(
            RoleName=one.outputs["role"], PolicyArn=one.outputs["policyArn"]
        ),
        "",
    ),
    "aws:iam/policy:Policy": Example(
        lambda _: {"policy": allow("s3:GetObject"), "description": "example", "tags": TAGS},
        {"policy": allow("s3:PutObject")},
        lambda stack, one: stack.client("iam").create_policy_version(
            PolicyArn=one.id, PolicyDocument=allow("*"), SetAsDefault=True
        ),
        "policy",
    ),
    "aws:cloudwatch/logGroup:LogGroup": Example(
        lambda _: {"name": "/mlp/example", "retentionInDays": 30, "tags": TAGS},
        {"retentionInDays": 7},
        lambda stack, one: stack.client("logs").put_retention_policy(logGroupName=one.id, retentionInDays=90),
        "retentionInDays",
    ),
    "aws:cloudwatch/metricAlarm:MetricAlarm": Example(
        lambda _: {
            "comparisonOperator": "GreaterThanThreshold",
            "evaluationPeriods": 2,
            "threshold": 0.05,
            "alarmDescription": "errors of one variant",
            "alarmActions": ["arn:aws:sns:eu-west-1:123456789012:alarms"],
            "metricQueries": [
                {"id": "share", "expression": "errors / calls", "returnData": True, "label": "share"},
                {
                    "id": "errors",
                    "metric": {
                        "namespace": "AWS/SageMaker",
                        "metricName": "Invocation5XXErrors",
                        "dimensions": {"EndpointName": "flights", "VariantName": "a"},
                        "period": 60,
                        "stat": "Sum",
                    },
                },
                {
                    "id": "calls",
                    "metric": {"namespace": "AWS/SageMaker", "metricName": "Invocations", "period": 60, "stat": "Sum"},
                },
            ],
            "tags": TAGS,
        },
        {"threshold": 0.1},
        lambda stack, one: stack.client("cloudwatch").put_metric_alarm(
            AlarmName=one.id,
            ComparisonOperator="GreaterThanThreshold",
            EvaluationPeriods=2,
            Threshold=5,
            MetricName="Invocations",
            Namespace="AWS/SageMaker",
            Period=60,
            Statistic="Sum",
        ),
        "threshold",
    ),
    "aws:ecr/repository:Repository": Example(
        lambda stack: {
            "name": "mlp/example",
            "imageTagMutability": "IMMUTABLE",
            "imageScanningConfiguration": {"scanOnPush": True},
            "encryptionConfigurations": [{"encryptionType": "KMS", "kmsKey": key(stack)}],
            "forceDelete": True,
            "tags": TAGS,
        },
        {"imageScanningConfiguration": {"scanOnPush": False}},
        lambda stack, one: stack.client("ecr").put_image_tag_mutability(
            repositoryName=one.id, imageTagMutability="MUTABLE"
        ),
        "imageTagMutability",
    ),
    "aws:ecr/lifecyclePolicy:LifecyclePolicy": Example(
        lambda stack: {
            "repository": shared(stack, "aws:ecr/repository:Repository", "shared", forceDelete=True).id,
            "policy": _images_kept(10),
        },
        {"policy": _images_kept(20)},
        lambda stack, one: stack.client("ecr").delete_lifecycle_policy(repositoryName=one.id),
    ),
    "aws:ssm/parameter:Parameter": Example(
        lambda _: {"name": "/mlp/example/value", "type": "String", "value": "one", "tags": TAGS},
        {"value": "two"},
        lambda stack, one: stack.client("ssm").put_parameter(Name=one.id, Value="three", Type="String", Overwrite=True),
        "value",
    ),
    "aws:ecs/cluster:Cluster": Example(
        lambda _: {"settings": [{"name": "containerInsights", "value": "enabled"}], "tags": TAGS},
        drift=lambda stack, one: stack.client("ecs").update_cluster(
            cluster=one.id, settings=[{"name": "containerInsights", "value": "disabled"}]
        ),
        drifted="settings[0].value",
    ),
    "aws:ecs/taskDefinition:TaskDefinition": Example(
        _task,
        {"tags": {"Stage": "serving"}},
        lambda stack, one: stack.client("ecs").deregister_task_definition(taskDefinition=one.id),
    ),
    "aws:ecs/service:Service": Example(
        lambda stack: {
            "name": "example",
            "cluster": shared(stack, "aws:ecs/cluster:Cluster", "shared").id,
            "taskDefinition": shared(stack, "aws:ecs/taskDefinition:TaskDefinition", "shared", **_task(stack)).id,
            "desiredCount": 1,
            "launchType": "FARGATE",
            "networkConfiguration": {"subnets": subnets(stack), "securityGroups": [group(stack)]},
            "deploymentCircuitBreaker": {"enable": True, "rollback": True},
            "deploymentMinimumHealthyPercent": 100,
            "tags": TAGS,
        },
        {"desiredCount": 2},
        lambda stack, one: stack.client("ecs").update_service(
            cluster=one.outputs["cluster"], service=one.id, desiredCount=0
        ),
        "desiredCount",
    ),
    "aws:lb/loadBalancer:LoadBalancer": Example(
        lambda stack: {
            "internal": True,
            "subnets": subnets(stack),
            "securityGroups": [group(stack)],
            "dropInvalidHeaderFields": True,
            "idleTimeout": 120,
            "tags": TAGS,
        },
        {"idleTimeout": 60},
        lambda stack, one: stack.client("elbv2").modify_load_balancer_attributes(
            LoadBalancerArn=one.id,
            Attributes=[{"Key": "routing.http.drop_invalid_header_fields.enabled", "Value": "false"}],
        ),
        "dropInvalidHeaderFields",
    ),
    "aws:lb/targetGroup:TargetGroup": Example(
        _target_group, {"deregistrationDelay": 15}, _unhealthy, "healthCheck.path"
    ),
    "aws:lb/listener:Listener": Example(
        lambda stack: {
            "loadBalancerArn": shared(
                stack,
                "aws:lb/loadBalancer:LoadBalancer",
                "shared",
                internal=True,
                subnets=subnets(stack),
                securityGroups=[group(stack)],
            ).id,
            "port": 80,
            "protocol": "HTTP",
            "defaultActions": [
                {
                    "type": "forward",
                    "targetGroupArn": shared(
                        stack, "aws:lb/targetGroup:TargetGroup", "shared", **_target_group(stack)
                    ).id,
                }
            ],
            "tags": TAGS,
        },
        {"port": 81},
        lambda stack, one: stack.client("elbv2").modify_listener(
            ListenerArn=one.id,
            DefaultActions=[{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "503"}}],
        ),
        "defaultActions[0].type",
    ),
    "aws:rds/subnetGroup:SubnetGroup": Example(
        lambda stack: {"subnetIds": subnets(stack), "tags": TAGS},
        {"description": "another"},
        lambda stack, one: stack.client("rds").modify_db_subnet_group(
            DBSubnetGroupName=one.id, SubnetIds=[_third_subnet(stack)]
        ),
        "subnetIds",
    ),
    "aws:rds/parameterGroup:ParameterGroup": Example(
        lambda _: {
            "family": "postgres16",
            "parameters": [{"name": "rds.force_ssl", "value": "1"}, {"name": "log_statement", "value": "ddl"}],
            "tags": TAGS,
        },
        {"parameters": [{"name": "rds.force_ssl", "value": "0"}, {"name": "log_statement", "value": "ddl"}]},
        lambda stack, one: stack.client("rds").modify_db_parameter_group(
            DBParameterGroupName=one.id,
            Parameters=[{"ParameterName": "rds.force_ssl", "ParameterValue": "0", "ApplyMethod": "immediate"}],
        ),
        "parameters",
    ),
    "aws:rds/instance:Instance": Example(
        lambda stack: {
            "engine": "postgres",
            "engineVersion": "16.4",
            "instanceClass": "db.t4g.micro",
            "allocatedStorage": 20,
            "storageEncrypted": True,
            "kmsKeyId": key(stack),
            "username": "mlflow",
            "manageMasterUserPassword": True,
            "dbName": "mlflow",
            "dbSubnetGroupName": shared(
                stack, "aws:rds/subnetGroup:SubnetGroup", "shared", subnetIds=subnets(stack)
            ).id,
            "vpcSecurityGroupIds": [group(stack)],
            "backupRetentionPeriod": 7,
            "skipFinalSnapshot": True,
            "tags": TAGS,
        },
        {"backupRetentionPeriod": 1},
        lambda stack, one: stack.client("rds").modify_db_instance(
            DBInstanceIdentifier=one.id, DeletionProtection=True, ApplyImmediately=True
        ),
        "deletionProtection",
    ),
    "aws:sagemaker/modelPackageGroup:ModelPackageGroup": Example(
        lambda _: {
            "modelPackageGroupName": "flights",
            "modelPackageGroupDescription": "late arrivals",
            "tags": TAGS,
        },
        drift=lambda stack, one: stack.client("sagemaker").add_tags(
            ResourceArn=one.outputs["arn"], Tags=[{"Key": "Owner", "Value": "someone"}]
        ),
        drifted="tags.Owner",
    ),
    "aws:sagemaker/model:Model": Example(
        _model,
        drift=lambda stack, one: stack.client("sagemaker").delete_tags(
            ResourceArn=one.outputs["arn"], TagKeys=["Environment"]
        ),
        drifted="tags.Environment",
    ),
    "aws:sagemaker/endpointConfiguration:EndpointConfiguration": Example(
        _endpoint_configuration,
        drift=lambda stack, one: stack.client("sagemaker").delete_endpoint_config(EndpointConfigName=one.id),
    ),
    "aws:sagemaker/endpoint:Endpoint": Example(
        lambda stack: {
            "endpointConfigName": shared(
                stack,
                "aws:sagemaker/endpointConfiguration:EndpointConfiguration",
                "shared",
                **_endpoint_configuration(stack),
            ).id,
            "tags": TAGS,
        },
        drift=lambda stack, one: stack.client("sagemaker").delete_tags(
            ResourceArn=one.outputs["arn"], TagKeys=["Environment"]
        ),
        drifted="tags.Environment",
    ),
    "aws:appautoscaling/target:Target": Example(
        lambda stack: {**_scaled(stack), "minCapacity": 1, "maxCapacity": 4},
        {"maxCapacity": 6},
        lambda stack, one: stack.client("application-autoscaling").register_scalable_target(
            ServiceNamespace=one.outputs["serviceNamespace"],
            ResourceId=one.outputs["resourceId"],
            ScalableDimension=one.outputs["scalableDimension"],
            MinCapacity=1,
            MaxCapacity=9,
        ),
        "maxCapacity",
    ),
    "aws:appautoscaling/policy:Policy": Example(
        lambda stack: {
            **_registered(stack),
            "policyType": "TargetTrackingScaling",
            "targetTrackingScalingPolicyConfiguration": {
                "targetValue": 70,
                "predefinedMetricSpecification": {"predefinedMetricType": "ECSServiceAverageCPUUtilization"},
                "scaleInCooldown": 300,
            },
        },
        {
            "targetTrackingScalingPolicyConfiguration": {
                "targetValue": 50,
                "predefinedMetricSpecification": {"predefinedMetricType": "ECSServiceAverageCPUUtilization"},
            }
        },
        lambda stack, one: stack.client("application-autoscaling").delete_scaling_policy(
            PolicyName=one.outputs["name"],
            ServiceNamespace=one.outputs["serviceNamespace"],
            ResourceId=one.outputs["resourceId"],
            ScalableDimension=one.outputs["scalableDimension"],
        ),
    ),
}
