"""What the registry is made of: MLflow's tracking server on Fargate, its database, its address and its artifacts."""

from typing import NotRequired, TypedDict

import pulumi
import pulumi_aws as aws

from components._base import Stage
from components.errors import Problems
from components.refs import BucketRef, ImageRef, NetworkRef
from components.registry.balancer import Balancer, BalancerArgs
from components.registry.container import CONTAINER, PORT, TMP_VOLUME, Server, container_definitions, size_problem
from components.registry.database import Database, DatabaseArgs
from components.registry.permissions import ARTIFACTS_PREFIX, start_statements, task_statements
from infra.environment import Environment
from infra.naming import PROJECT, fixed_name
from infra.tags import DataClass


class RegistryArgs(TypedDict):
    """What the registry is made of."""

    environment: Environment
    """Where it stands."""
    network: NetworkRef
    """The network it stands in."""
    artifacts: BucketRef
    """Where runs' artifacts and models are kept."""
    image: ImageRef
    """The tracking server's image."""
    logs_key_arn: pulumi.Input[str]
    """Key of its logs."""
    access_logs_bucket: pulumi.Input[str]
    """Bucket that takes the load balancer's access logs."""
    access_logs_prefix: str
    """Prefix of the load balancer's access logs."""
    certificate_arn: NotRequired[str]
    """Certificate of the HTTPS listener; plain HTTP when left out."""
    hostname: NotRequired[str]
    """Name in the certificate; the load balancer's own name when left out."""
    tasks: NotRequired[int]
    """Tracking servers; two when left out."""
    cpu: NotRequired[int]
    """CPU units of a task; 1024, one virtual CPU, when left out."""
    memory_mib: NotRequired[int]
    """Memory of a task in MiB; 2048 when left out."""
    database: NotRequired[DatabaseArgs]
    """Size and safety of the database; production's when left out."""
    retention_days: NotRequired[int]
    """Days that logs are kept; 365 when left out."""
    disposable: NotRequired[bool]
    """True lets the database go with the stack, unsaved; protected when left out."""


class Registry(Stage):
    """An MLflow tracking server and model registry, and a SageMaker model package group for approved versions."""

    tracking_uri: pulumi.Output[str]
    """Where clients log runs and register models."""
    artifact_uri: pulumi.Output[str]
    """`s3://` prefix of runs' artifacts."""
    load_balancer_dns_name: pulumi.Output[str]
    """What the host name's DNS record points to."""
    model_package_group: pulumi.Output[str]
    """Name of the SageMaker model package group."""
    cluster: pulumi.Output[str]
    """ECS cluster of the server."""
    service: pulumi.Output[str]
    """ECS service of the server."""

    def __init__(self, name: str, args: RegistryArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mlp:index:Registry", "registry", name, args["environment"], opts)
        problems = Problems(f"Registry {name}")
        problems.within(args.get("tasks", 2), 1, 20, "tasks")
        wrong_size = size_problem(args.get("cpu", 1024), args.get("memory_mib", 2048))
        problems.extend([wrong_size] if wrong_size else [])
        problems.raise_any()
        self._args = args
        self._disposable = args.get("disposable", False)
        self._retention = args.get("retention_days", 365)
        self.artifact_uri = pulumi.Output.concat("s3://", args["artifacts"]["name"], "/", ARTIFACTS_PREFIX.rstrip("/"))

        database = self._database()
        balancer = self._balancer()
        group = self._network_place(database, balancer)
        cluster = self._cluster()
        service = self._service(cluster, self._task(database), balancer, group)
        models = self._model_package_group()

        hostname = args.get("hostname")
        self.tracking_uri = balancer.origin if hostname is None else pulumi.Output.from_input(f"https://{hostname}")
        self.load_balancer_dns_name = balancer.dns_name
        self.model_package_group = models.model_package_group_name
        self.cluster = cluster.name
        self.service = service.name
        self.register_outputs(
            {
                "tracking_uri": self.tracking_uri,
                "artifact_uri": self.artifact_uri,
                "load_balancer_dns_name": self.load_balancer_dns_name,
                "model_package_group": self.model_package_group,
                "cluster": self.cluster,
                "service": self.service,
            }
        )

    def _database(self) -> Database:
        args = self._args
        return Database(
            f"{self._prefix}-database",
            {
                "environment": self._environment,
                "network": args["network"],
                "key_arn": args["artifacts"]["key_arn"],
                "logs_key_arn": args["logs_key_arn"],
                "retention_days": self._retention,
                "disposable": self._disposable,
                "size": args.get("database", {}),
            },
            self._child(),
        )

    def _balancer(self) -> Balancer:
        args = self._args
        placed: BalancerArgs = {
            "environment": self._environment,
            "network": args["network"],
            "access_logs_bucket": args["access_logs_bucket"],
            "access_logs_prefix": args["access_logs_prefix"],
            "disposable": self._disposable,
        }
        if (certificate := args.get("certificate_arn")) is not None:
            placed["certificate_arn"] = certificate
        return Balancer(f"{self._prefix}-balancer", placed, self._child())

    def _network_place(self, database: Database, balancer: Balancer) -> aws.ec2.SecurityGroup:
        network, database_port = self._args["network"], self._args.get("database", {}).get("port", 5433)
        group = self._security_group("server", "The tracking server", network["vpc_id"])
        self._egress("balancer-to-server", balancer.group, PORT, "The tracking server", group_id=group.id)
        self._ingress("server-from-balancer", group, PORT, "The load balancer", group_id=balancer.security_group_id)
        self._egress("server-to-database", group, database_port, "Database", group_id=database.security_group_id)
        self._ingress("database-from-server", database.group, database_port, "The tracking server", group_id=group.id)
        endpoints = network["endpoints_security_group_id"]
        self._egress("server-to-endpoints", group, 443, "AWS services", group_id=endpoints)
        self._egress("server-to-s3", group, 443, "Artifacts and layers", prefix_list_id=network["s3_prefix_list_id"])
        return group

    def _cluster(self) -> aws.ecs.Cluster:
        return aws.ecs.Cluster(
            f"{self._prefix}-cluster",
            name=fixed_name("cluster", self._environment["environment"], "registry"),
            settings=[{"name": "containerInsights", "value": "enabled"}],
            tags=self._tags(DataClass.INTERNAL),
            opts=self._child(),
        )

    def _task(self, database: Database) -> aws.ecs.TaskDefinition:
        args = self._args
        log_name = f"/{PROJECT}/{self._environment['environment']}/registry/server"
        logs = self._log_group("server", log_name, args["logs_key_arn"], self._retention)
        task_role, task_policy = self._role(
            "task",
            "What the tracking server may do",
            "ecs-tasks.amazonaws.com",
            pulumi.Output.all(args["artifacts"]["arn"], args["artifacts"]["key_arn"]).apply(
                lambda known: task_statements(*known)
            ),
        )
        start_role, start_policy = self._role(
            "start",
            "What ECS may do to start the tracking server",
            "ecs-tasks.amazonaws.com",
            pulumi.Output.all(
                args["image"]["repository_arn"], logs.arn, database.secret_arn, args["artifacts"]["key_arn"]
            ).apply(lambda known: start_statements(*known)),
        )
        return aws.ecs.TaskDefinition(
            f"{self._prefix}-task",
            family=fixed_name("task-family", self._environment["environment"], "registry"),
            requires_compatibilities=["FARGATE"],
            network_mode="awsvpc",
            cpu=str(args.get("cpu", 1024)),
            memory=str(args.get("memory_mib", 2048)),
            runtime_platform={"operating_system_family": "LINUX", "cpu_architecture": "X86_64"},
            task_role_arn=task_role.arn,
            execution_role_arn=start_role.arn,
            volumes=[{"name": TMP_VOLUME}],
            container_definitions=self._containers(log_name, database),
            tags=self._tags(DataClass.INTERNAL),
            opts=self._child(depends_on=[task_policy, start_policy]),
        )

    def _containers(self, log_group: str, database: Database) -> pulumi.Output[str]:
        args = self._args
        known = pulumi.Output.all(
            image=args["image"]["uri"],
            log_group=log_group,
            region=self._environment["region"],
            database_host=database.address,
            database_port=database.port,
            database_name=Database.NAME,
            database_user=Database.USER,
            database_tls=args.get("database", {}).get("require_tls", True),
            secret_arn=database.secret_arn,
            artifacts_uri=self.artifact_uri,
            hostname=args.get("hostname"),
        )
        return known.apply(lambda values: container_definitions(Server(**values)))

    def _service(
        self, cluster: aws.ecs.Cluster, task: aws.ecs.TaskDefinition, balancer: Balancer, group: aws.ec2.SecurityGroup
    ) -> aws.ecs.Service:
        return aws.ecs.Service(
            f"{self._prefix}-service",
            cluster=cluster.arn,
            task_definition=task.arn,
            desired_count=self._args.get("tasks", 2),
            launch_type="FARGATE",
            platform_version="LATEST",
            enable_execute_command=False,
            deployment_minimum_healthy_percent=100,
            deployment_maximum_percent=200,
            deployment_circuit_breaker={"enable": True, "rollback": True},
            health_check_grace_period_seconds=180,
            network_configuration={
                "subnets": self._args["network"]["subnet_ids"],
                "security_groups": [group.id],
                "assign_public_ip": False,
            },
            load_balancers=[
                {
                    "target_group_arn": balancer.target_group_arn,
                    "container_name": CONTAINER,
                    "container_port": PORT,
                }
            ],
            propagate_tags="SERVICE",
            # The image arrives after the first `up`; until then ECS keeps trying.
            wait_for_steady_state=False,
            tags=self._tags(DataClass.INTERNAL),
            opts=self._child(),
        )

    def _model_package_group(self) -> aws.sagemaker.ModelPackageGroup:
        return aws.sagemaker.ModelPackageGroup(
            f"{self._prefix}-models",
            model_package_group_name=fixed_name("model-package-group", self._environment["environment"], "models"),
            model_package_group_description="Versions approved for serving",
            tags=self._tags(DataClass.INTERNAL),
            opts=self._child(protect=not self._disposable),
        )
