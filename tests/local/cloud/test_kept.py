"""What AWS keeps and plain moto drops."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from infra.local import server
from tests.local.cloud.conftest import ROLE, Cloud, until
from tests.local.cloud.test_rds import instance

pytestmark = pytest.mark.local


def test_scalable_targets_have_an_arn_and_tags(cloud: Cloud) -> None:
    scaling = cloud.client("application-autoscaling")
    name = {
        "ServiceNamespace": "sagemaker",
        "ResourceId": "endpoint/e/variant/v",
        "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
    }
    scaling.register_scalable_target(**name, MinCapacity=1, MaxCapacity=2, Tags={"mlp:token": "t", "a": "1"})
    [target] = scaling.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"]
    arn = target["ScalableTargetARN"]

    scaling.tag_resource(ResourceARN=arn, Tags={"b": "2"})
    scaling.untag_resource(ResourceARN=arn, TagKeys=["a"])

    policy: dict[str, Any] = {**name, "PolicyName": "p", "PolicyType": "TargetTrackingScaling"}
    metric = {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"}
    configurations = [{"TargetValue": value, "PredefinedMetricSpecification": metric} for value in (1.0, 2.0)]
    arns = [
        scaling.put_scaling_policy(**policy, TargetTrackingScalingPolicyConfiguration=configuration)["PolicyARN"]
        for configuration in configurations
    ]
    assert arns[0] == arns[1]
    [found] = scaling.describe_scaling_policies(ServiceNamespace="sagemaker")["ScalingPolicies"]
    assert found["TargetTrackingScalingPolicyConfiguration"]["TargetValue"] == 2.0
    scaling.delete_scaling_policy(**name, PolicyName="p")

    assert scaling.list_tags_for_resource(ResourceARN=arn)["Tags"] == {"mlp:token": "t", "b": "2"}
    scaling.deregister_scalable_target(**name)
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        scaling.list_tags_for_resource(ResourceARN=arn)


def test_models_and_configurations_are_described_as_given(cloud: Cloud) -> None:
    sagemaker = cloud.client("sagemaker")
    vpc = {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]}
    container: dict[str, Any] = {
        "Image": cloud.image(),
        "ModelDataUrl": "s3://any/model.tar.gz",
        "Environment": {"A": "1"},
    }
    sagemaker.create_model(
        ModelName="whole",
        PrimaryContainer=container,
        ExecutionRoleArn=ROLE,
        VpcConfig=vpc,
        EnableNetworkIsolation=True,
        Tags=[{"Key": "k", "Value": "v"}],
    )
    variant = {
        "VariantName": "v",
        "ModelName": "whole",
        "InstanceType": "ml.c7i.large",
        "InitialInstanceCount": 1,
        "InitialVariantWeight": 0.25,
        "ContainerStartupHealthCheckTimeoutInSeconds": 120,
    }
    sagemaker.create_endpoint_config(EndpointConfigName="whole", ProductionVariants=[variant], KmsKeyId="key")

    model: dict[str, Any] = sagemaker.describe_model(ModelName="whole")
    config: dict[str, Any] = sagemaker.describe_endpoint_config(EndpointConfigName="whole")

    assert (model["PrimaryContainer"], model["VpcConfig"], model["EnableNetworkIsolation"]) == (container, vpc, True)
    assert (config["ProductionVariants"], config["KmsKeyId"]) == ([variant], "key")
    assert sagemaker.list_tags(ResourceArn=model["ModelArn"])["Tags"] == [{"Key": "k", "Value": "v"}]
    with pytest.raises(ClientError, match="already existing model"):
        sagemaker.create_model(ModelName="whole", PrimaryContainer=container, ExecutionRoleArn=ROLE)
    with pytest.raises(ClientError, match="not found"):
        sagemaker.create_model(
            ModelName="imageless", PrimaryContainer={"Image": container["Image"] + "x"}, ExecutionRoleArn=ROLE
        )
    serverless = {
        "VariantName": "v",
        "ModelName": "whole",
        "ServerlessConfig": {"MemorySizeInMB": 1024, "MaxConcurrency": 1},
    }
    with pytest.raises(ClientError, match="ServerlessConfig is not written for the embedded AWS"):
        sagemaker.create_endpoint_config(EndpointConfigName="serverless", ProductionVariants=[serverless])


def test_a_model_package_group_goes_only_when_it_is_empty(cloud: Cloud) -> None:
    sagemaker = cloud.client("sagemaker")
    sagemaker.create_model_package_group(ModelPackageGroupName="group")
    specification = {
        "Containers": [{"Image": "i"}],
        "SupportedContentTypes": ["text/csv"],
        "SupportedResponseMIMETypes": ["text/csv"],
    }
    package = sagemaker.create_model_package(ModelPackageGroupName="group", InferenceSpecification=specification)[
        "ModelPackageArn"
    ]
    with pytest.raises(ClientError, match="still contains Model Packages"):
        sagemaker.delete_model_package_group(ModelPackageGroupName="group")

    sagemaker.delete_model_package(ModelPackageName=package)
    sagemaker.delete_model_package_group(ModelPackageGroupName="group")

    for kind in ("endpoint/none", "model-package/none/1", "nonsense/none"):
        with pytest.raises(ClientError, match="Could not find resource"):
            sagemaker.list_tags(ResourceArn=f"arn:aws:sagemaker:{server.REGION}:123456789012:{kind}")
    assert sagemaker.list_model_package_groups(NameContains="group")["ModelPackageGroupSummaryList"] == []


def test_database_settings_and_subnet_groups_survive_a_change(cloud: Cloud, subnets: list[str]) -> None:
    rds = cloud.client("rds")
    rds.create_db_subnet_group(DBSubnetGroupName="g", DBSubnetGroupDescription="d", SubnetIds=subnets)
    rds.modify_db_subnet_group(DBSubnetGroupName="g", SubnetIds=list(reversed(subnets)))
    described = instance(
        cloud, "kept", MasterUserPassword="only-for-tests", DBSubnetGroupName="g", EnablePerformanceInsights=True
    )
    assert described["PerformanceInsightsEnabled"] is True

    rds.modify_db_instance(DBInstanceIdentifier="kept", EnablePerformanceInsights=False, ApplyImmediately=True)

    assert (
        rds.describe_db_instances(DBInstanceIdentifier="kept")["DBInstances"][0]["PerformanceInsightsEnabled"] is False
    )
    rds.delete_db_instance(DBInstanceIdentifier="kept", SkipFinalSnapshot=True)
    rds.delete_db_subnet_group(DBSubnetGroupName="g")


def test_cluster_settings_and_image_tags_hold(cloud: Cloud, cluster: str) -> None:
    ecs, ecr = cloud.client("ecs"), cloud.client("ecr")
    ecs.update_cluster_settings(cluster=cluster, settings=[{"name": "containerInsights", "value": "enabled"}])
    assert ecs.describe_clusters(clusters=[cluster], include=["SETTINGS"])["clusters"][0]["settings"] == [
        {"name": "containerInsights", "value": "enabled"}
    ]

    ecs.create_cluster(clusterName="gone")
    ecs.delete_cluster(cluster="gone")
    ecr.create_repository(repositoryName="fixed", imageTagMutability="IMMUTABLE")
    cloud.image(repository="fixed", tag="t")
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "annotations": {"mlp.image.folder": "tests/support/images/tiny", "n": "2"},
    }
    with pytest.raises(ClientError, match="ImageTagAlreadyExistsException"):
        ecr.put_image(repositoryName="fixed", imageManifest=json.dumps(manifest), imageTag="t")
    with pytest.raises(ClientError, match="must name a folder"):
        ecr.put_image(repositoryName="fixed", imageManifest=json.dumps({**manifest, "annotations": {}}), imageTag="u")


def test_access_logging_takes_a_target_whose_policy_also_denies_plain_http(cloud: Cloud) -> None:
    source, target = cloud.bucket("logged"), cloud.bucket("logs-target")
    deny = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": f"arn:aws:s3:::{target}/*",
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    allow = {
        "Effect": "Allow",
        "Principal": {"Service": "logging.s3.amazonaws.com"},
        "Action": "s3:PutObject",
        "Resource": f"arn:aws:s3:::{target}/*",
    }
    s3 = cloud.client("s3")
    s3.put_bucket_policy(Bucket=target, Policy=json.dumps({"Version": "2012-10-17", "Statement": [deny, allow]}))

    s3.put_bucket_logging(
        Bucket=source, BucketLoggingStatus={"LoggingEnabled": {"TargetBucket": target, "TargetPrefix": "p/"}}
    )

    assert s3.get_bucket_logging(Bucket=source)["LoggingEnabled"]["TargetBucket"] == target
    s3.put_object(Bucket=target, Key="k", Body=b"over plain HTTP", Tagging="a=1")
    s3.put_object_tagging(Bucket=target, Key="k", Tagging={"TagSet": []})
    assert s3.get_object_tagging(Bucket=target, Key="k")["TagSet"] == []


def test_security_group_rules_keep_their_descriptions(cloud: Cloud, subnets: list[str]) -> None:
    ec2 = cloud.client("ec2")
    vpc = ec2.describe_subnets(SubnetIds=subnets)["Subnets"][0]["VpcId"]
    group = ec2.create_security_group(GroupName="described", Description="d", VpcId=vpc)["GroupId"]
    prefix = ec2.describe_managed_prefix_lists()["PrefixLists"][0]["PrefixListId"]
    ports = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443}
    sources = {
        "UserIdGroupPairs": {"GroupId": group},
        "PrefixListIds": {"PrefixListId": prefix},
        "IpRanges": {"CidrIp": "10.0.0.0/8"},
    }
    for kind, source in sources.items():
        permission = {**ports, kind: [{**source, "Description": kind}]}
        ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[permission])

    rules = ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [group]}])["SecurityGroupRules"]
    assert {rule["Description"] for rule in rules if not rule["IsEgress"]} == set(sources)
    for kind, source in sources.items():
        ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=[{**ports, kind: [source]}])
    left = ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [group]}])["SecurityGroupRules"]
    assert [rule for rule in left if not rule["IsEgress"]] == []


def test_an_alarm_follows_its_metric_and_a_state_set_by_hand_holds_for_a_period(cloud: Cloud) -> None:
    cloudwatch = cloud.client("cloudwatch")
    alarm: dict[str, Any] = {
        "AlarmName": "high",
        "Namespace": "tests",
        "MetricName": "errors",
        "Statistic": "Maximum",
        "Period": 60,
        "EvaluationPeriods": 1,
        "Threshold": 5,
        "ComparisonOperator": "GreaterThanThreshold",
    }
    cloudwatch.put_metric_alarm(**alarm)

    def state() -> str:
        return cloudwatch.describe_alarms(AlarmNames=["high"])["MetricAlarms"][0]["StateValue"]

    assert state() == "INSUFFICIENT_DATA"
    cloudwatch.put_metric_data(Namespace="tests", MetricData=[{"MetricName": "errors", "Value": 1}])
    until(lambda: state() == "OK", what="OK")
    cloudwatch.put_metric_data(
        Namespace="tests", MetricData=[{"MetricName": "errors", "Values": [2.0, 9.0], "Counts": [3.0, 1.0]}]
    )
    until(lambda: state() == "ALARM", what="ALARM")
    cloudwatch.set_alarm_state(AlarmName="high", StateValue="OK", StateReason="by hand")
    cloudwatch.put_metric_alarm(**{**alarm, "Threshold": 6})
    assert state() == "OK"

    with pytest.raises(ClientError, match="RATE is no id"):
        cloudwatch.put_metric_alarm(
            AlarmName="bad",
            EvaluationPeriods=1,
            ComparisonOperator="GreaterThanThreshold",
            Threshold=1,
            Metrics=[{"Id": "e", "Expression": "RATE(m)", "ReturnData": True}],
        )
    assert server.status(cloud.home) is not None
