"""The Spark session of a job.

Settings of the submitter are never overridden, except where the result depends on them: settings
that concern the machine are applied only when the job starts Spark itself, and those that concern
speed only where spark-submit, its --conf and spark-defaults.conf do not set them.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path
from threading import Thread

from py4j.protocol import Py4JError
from pyspark import SparkConf, SparkContext
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from jobs.runtime.conf_files import CONF_DIR
from jobs.runtime.errors import ServiceError
from jobs.runtime.settings import SparkSettings
from jobs.runtime.spark.class_archive import sharing
from jobs.runtime.spark.jars import SPARK, resolve
from jobs.runtime.spark.java import java_binary

LOG_LEVEL = "ERROR"
# at Java's default size a starting job is stopped three times to make room for classes; and HotSpot
# compiles no method above 8,000 bytes of bytecode by default: the judge's fused stage is larger
JAVA_OPTIONS = "-Xss16m -XX:+UseParallelGC -XX:MetaspaceSize=256m -XX:-DontCompileHugeMethods"
LOG4J = CONF_DIR / "log4j2.properties"
CORRECTNESS = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "true",
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    "spark.sql.streaming.stateStore.providerClass": (
        "org.apache.spark.sql.execution.streaming.state.RocksDBStateStoreProvider"
    ),
    # the reader must never infer a partition column's type from its values
    "spark.sql.sources.partitionColumnTypeInference.enabled": "false",
    # jobs.maintain keeps the files of every version that somebody will read: how old it is says
    # nothing, and a quiet table's newest but one is older than Delta's week
    "spark.databricks.delta.vacuum.enforceTimeTravelWithinDeletedFileRetentionDuration": "false",
}
_HARDLY_REPEAT = (
    *("key", "value", "event_id", "user_id", "session_id", "episode_id", "correlation_id"),
    *("offset", "event_time", "kafka_timestamp"),
)
SPEED = {
    # every write computes a snapshot anew, a small job: one task, not the 50 of Delta
    "spark.databricks.delta.snapshotPartitions": "1",
    # splits methods that a Java without JAVA_OPTIONS would interpret, at a third of the speed
    "spark.sql.codegen.hugeMethodLimit": "8000",
    # a batch of ingest, refine and fold uses more generated classes than the 100 that Spark keeps:
    # each was evicted before its next use, and compiled anew in every batch
    "spark.sql.codegen.cache.maxEntries": "1000",
    "spark.sql.streaming.stateStore.rocksdb.changelogCheckpointing.enabled": "true",
    "spark.sql.streaming.stateStore.rocksdb.trackTotalNumberOfRows": "false",
    # state is evicted with the next batch, not in an empty one of its own
    "spark.sql.streaming.noDataMicroBatches.enabled": "false",
    # what is persisted lives for one batch: compressing its columns costs more than it saves
    "spark.sql.inMemoryColumnarStorage.compressed": "false",
    # the bodies of a family's events have more fields than the 100 beyond which Spark gives up
    # generating one loop, and every step wrote its rows out for the next to read
    "spark.sql.codegen.maxFields": "1000",
    # Spark's first, small map of an aggregation is full at once with as many keys as folds have,
    # and each row was then looked up in two
    "spark.sql.codegen.aggregate.map.twolevel.enabled": "false",
    # a table is read in as many tasks as there are cores, which end together, up to this size: at
    # Spark's 128 MB three tasks shared two cores, and the rows of a key were aggregated in three
    "spark.sql.files.maxPartitionBytes": "256m",
    # a task sorts at most so many rows at once: memory would grow with the history that is rebuilt,
    # and what the sorter holds moves to the JVM's old generation
    "spark.shuffle.spill.numElementsForceSpillThreshold": "500000",
    # folds of texts hash up to this many keys a task before they fall back to sorting; default 128
    "spark.sql.objectHashAggregate.sortBased.fallbackThreshold": "200000",
    "spark.sql.parquet.compression.codec": "snappy",
    # 8 bytes that readers can filter by, not the 12 of INT96
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    # a file is split between tasks at its row groups; Parquet's 128 MB make a batch one task
    "spark.hadoop.parquet.block.size": str(16 * 2**20),
    # a dictionary of values that hardly repeat never pays; trying costs
    **{f"spark.hadoop.parquet.enable.dictionary#{column}": "false" for column in _HARDLY_REPEAT},
    # write the few partitions of a batch side by side instead of sorting its rows first
    "spark.sql.maxConcurrentOutputFileWriters": "16",
    # to record the line that made a column, PySpark calls the JVM ten times for each
    "spark.python.sql.dataFrameDebugging.enabled": "false",
    # inferring what a filter implies for columns made of those of all contracts takes gigabytes
    "spark.sql.constraintPropagation.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.ui.retainedExecutions": "20",
}

IN_ONE_PROCESS = {
    # Hadoop's default starts a process, chmod, for each file that it creates, many a second under
    # three streams. This one, of hadoop-bare-naked-local-fs, calls the operating system.
    "spark.hadoop.fs.file.impl": "com.globalmentor.apache.hadoop.fs.BareLocalFileSystem",
    "spark.sql.codegen.hugeMethodLimit": "65535",  # no method is split: JAVA_OPTIONS compile it
}
PARTITIONS = "spark.sql.shuffle.partitions"
MOST_PARTITIONS = 16  # times shuffle_partitions; adaptive execution coalesces small ones
FOR_LITTLE_DATA = {"spark.sql.codegen.wholeStage": "false", "spark.sql.adaptive.enabled": "false"}
# HotSpot reserves room for compiled code by its compilers: 48 MB for the first alone, which streams
# fill in minutes, and nothing is compiled from then on; 240 MB for both
FIRST_COMPILER_ONLY = ("-XX:TieredStopAtLevel=1", "-XX:ReservedCodeCacheSize=240m")


def spark_session(app: str, settings: SparkSettings) -> SparkSession:
    """The session of this process, started or taken over from spark-submit.

    Args:
        app: name shown in Spark's pages and logs.
        settings: size and tuning of the session, where the submitter does not set them.

    Raises:
        ServiceError: the cluster gave no executor within `executor_wait_s` seconds.
    """
    builder = SparkSession.builder
    if not _is_submitted():
        builder = builder.appName(app)
    for key, value in {**CORRECTNESS, **session_config(settings)}.items():
        builder = builder.config(key, value)
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel(LOG_LEVEL)
    if not is_local(spark):
        _await_executor(spark, settings.executor_wait_s)
    return spark


def session_config(settings: SparkSettings) -> Mapping[str, str]:
    """The Spark settings for speed and for the job's own machine that the submitter has not set."""
    said = _submitted_keys() if _is_submitted() else ()
    wanted = {
        **SPEED,
        **({} if settings.tuned_for == "peak" else FOR_LITTLE_DATA),
        **({} if PARTITIONS in said else _partitions(settings.shuffle_partitions)),
        **({} if _is_submitted() else _own_machine(settings)),
    }
    return {key: value for key, value in wanted.items() if key not in said}


def _partitions(least: int) -> Mapping[str, str]:
    """The settings for shuffle partitions: `least` for little data, more for a history."""
    return {
        PARTITIONS: str(least),
        "spark.sql.adaptive.coalescePartitions.initialPartitionNum": str(least * MOST_PARTITIONS),
    }


def is_local(spark: SparkSession) -> bool:
    """Whether all work is done in the driver, so that no executor can be lost."""
    return _is_one_process(str(spark.sparkContext.master))


def _is_one_process(master: str) -> bool:
    """Whether a master URL runs everything in one process."""
    return master.split("[")[0] == "local"  # local-cluster[2,1,1024] is several


def spark_log() -> Path:
    """The log file of a Spark that this process starts itself, not by spark-submit."""
    return Path(tempfile.gettempdir()) / f"playhead-spark-{os.getpid()}.log"


def _is_submitted() -> bool:
    """Whether spark-submit started this process."""
    return "PYSPARK_GATEWAY_PORT" in os.environ  # set by spark-submit


def _submitted_keys() -> Collection[str]:
    """The keys that spark-submit, its --conf or spark-defaults.conf have set."""
    SparkContext._ensure_initialized()  # connects to the JVM that is waiting
    return {key for key, _ in SparkConf().getAll()}


def _await_executor(spark: SparkSession, wait_s: float) -> None:
    """Return when a task has run.

    Without an executor Spark itself would wait for ever.

    Args:
        spark: session on a cluster.
        wait_s: longest wait in seconds.

    Raises:
        ServiceError: no task has run in time; the session is stopped.
    """

    def run() -> None:
        """Run a job of one row."""
        with suppress(Py4JError, PySparkException):  # the job meets and reports the same
            spark.range(1).count()

    probe = Thread(target=run, daemon=True)
    probe.start()
    probe.join(wait_s)
    if probe.is_alive():
        conf = spark.sparkContext.getConf()
        asked = f"{conf.get('spark.executor.memory', '1g')} of memory"
        cores = conf.get("spark.executor.cores")
        asked += f" and {cores} cores" if cores else ""
        master = spark.sparkContext.master
        spark.stop()
        raise ServiceError(
            f"{master} gave this job no executor in {wait_s:g} s; one asks for {asked}",
            "add workers, stop another application, or submit with a smaller --executor-memory or "
            "--executor-cores; to wait longer: --set spark.executor_wait_s=600",
        )


def _own_machine(settings: SparkSettings) -> Mapping[str, str]:
    """The settings of a Spark that the job starts itself.

    Sets JAVA_HOME and PYSPARK_PYTHON in the environment of this process.
    """
    os.environ["JAVA_HOME"] = str(java_binary().resolve().parents[1])
    # workers run the interpreter that has the packages, not the first python3 on PATH
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    java_options = {
        "log4j2.configurationFile": LOG4J,
        "playhead.log": spark_log(),
        "derby.system.home": tempfile.gettempdir(),
    }
    master = settings.master or "local[*]"
    jars = [str(jar) for jar in resolve(SPARK)]
    return {
        "spark.master": master,
        "spark.driver.memory": settings.driver_memory,
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.ui.enabled": "false",
        # every query describes its plan for these pages; nobody sees them here
        "spark.sql.ui.explainMode": "simple",
        # of the JVM's own class path, so that the archive of classes holds theirs too; executors
        # elsewhere fetch the jars
        "spark.driver.extraClassPath": os.pathsep.join(jars),
        **(IN_ONE_PROCESS if _is_one_process(master) else {"spark.jars": ",".join(jars)}),
        "spark.driver.extraJavaOptions": " ".join(
            [
                JAVA_OPTIONS,
                *(FIRST_COMPILER_ONLY if settings.tuned_for == "start" else ()),
                sharing(),
                settings.java_options,
                *(f"-D{key}={value}" for key, value in java_options.items()),
            ]
        ),
        # the checkpoint is on a local disk: a plain file system commits faster than a rename
        "spark.sql.streaming.checkpointFileManagerClass": (
            "org.apache.spark.sql.execution.streaming.checkpointing."
            "FileSystemBasedCheckpointFileManager"
        ),
    }
