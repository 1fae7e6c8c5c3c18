"""Names of labels, annotations and fixed ports. Data only."""

GROUP = "ember-spark.io"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
FIELD_MANAGER = "ember-operator"

MANAGED_BY = "app.kubernetes.io/managed-by"
COMPONENT = "app.kubernetes.io/component"
MANAGED_BY_EMBER = "ember"

APPLICATION = f"{GROUP}/application"
JOB_RUN = f"{GROUP}/job-run"
JOB_RUN_UID = f"{GROUP}/job-run-uid"
ATTEMPT = f"{GROUP}/attempt"
LEADER = f"{GROUP}/leader"

APPLICATION_NAME = f"{GROUP}/application-name"
JOB_RUN_NAME = f"{GROUP}/job-run-name"
WORKER = f"{GROUP}/worker"
EXECUTOR = f"{GROUP}/executor"
STOP = f"{GROUP}/stop"  # why a worker shall end
REMOVED_BY_SPARK = "RemovedBySpark"  # a reason: the driver has deleted this executor
STOPPED_AT = f"{GROUP}/stopped-at"  # when it was told to
POOL = f"{GROUP}/pool"  # on pre-initialized workers: the template they were made from; stays after the claim
HEAP = f"{GROUP}/heap-mib"
CLAIMED_AT = f"{GROUP}/claimed-at"  # on pre-initialized workers, from the claim on: the time
IDLE_CPU = "1m"  # what an idle pre-initialized worker asks for: the least that there is
ZONE = "topology.kubernetes.io/zone"

SPARK_APP = "spark-app-selector"
SPARK_ROLE = "spark-role"
SPARK_EXEC_ID = "spark-exec-id"
SPARK_EXEC_INACTIVE = "spark-exec-inactive"
SPARK_RESOURCE_PROFILE = "spark-exec-resourceprofile-id"

DRIVER = "driver"
EXECUTOR_ROLE = "executor"
DRIVER_CONTAINER = "spark"
EXECUTOR_CONTAINER = "spark-kubernetes-executor"

BROKER_AUDIENCE = "ember-broker"
DRIVER_PORT = 7078
BLOCK_MANAGER_PORT = 7079
CREDENTIALS_PORT = 9911
READY_PORT = 9912
END_MARK = "\x1eEMBER-END\x1e"
