"""Sessions of Apache Spark: one on this machine that only this machine can reach, or the one that is there already."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

OLDEST_JAVA = 17
THIS_MACHINE = "127.0.0.1"


def why_not() -> str | None:
    """What Spark lacks here; None where it can be started."""
    if find_spec("pyspark") is None:
        return "pyspark is not installed: pip install 'ticketintel-pipelines[spark]'"
    home = os.environ.get("JAVA_HOME")
    java = shutil.which("java", path=f"{home}/bin") if home else shutil.which("java")
    if java is None:
        return f"there is no Java; Spark needs {OLDEST_JAVA} or later"
    told = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    version = re.search(r'version "(\d+)', told)
    if version is None or int(version[1]) < OLDEST_JAVA:
        return f"{java} is older than Java {OLDEST_JAVA}, which Spark needs"
    return None


@contextmanager
def session_at_hand(scratch: Path, cores: int = 2) -> Iterator["SparkSession"]:
    """The session that the process has, as under `spark-submit`; otherwise one on this machine, for as long as it is needed."""
    from pyspark.sql import SparkSession

    if (session := SparkSession.getActiveSession()) is not None:
        yield session
        return
    with local_session(scratch, cores) as session:
        yield session


@contextmanager
def local_session(scratch: Path, cores: int = 2, settings: Mapping[str, str] | None = None) -> Iterator["SparkSession"]:
    """A session on this machine. Its ports are open to this machine alone, its files are in `scratch`, its JVM ends with it.

    Raises:
        RuntimeError: Spark cannot be started here.
    """
    if (reason := why_not()) is not None:
        raise RuntimeError(reason)
    from pyspark.sql import SparkSession

    chosen = {
        "spark.driver.host": THIS_MACHINE,
        "spark.driver.bindAddress": THIS_MACHINE,
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.driver.extraJavaOptions": f"-Duser.timezone=UTC -Djava.io.tmpdir={scratch}",
        "spark.driver.memory": "2g",
        "spark.local.dir": str(scratch),
        "spark.sql.warehouse.dir": str(scratch / "warehouse"),
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.execution.arrow.pyspark.enabled": "true",
        "spark.sql.shuffle.partitions": str(2 * cores),
        **(settings or {}),
    }
    # Read by Spark from the environment alone: the workers' Python, and the address where no host is asked for.
    with _environment({"PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": THIS_MACHINE}):
        builder = SparkSession.builder.master(f"local[{cores}]").appName("ticketintel")
        for name, value in chosen.items():
            builder = builder.config(name, value)
        session = builder.getOrCreate()
        session.sparkContext.setLogLevel("ERROR")
        try:
            yield session
        finally:
            session.stop()
            _end_jvm()


def _end_jvm() -> None:
    """Spark's own stop leaves the JVM until Python ends, and a later session in it would keep this one's settings."""
    from pyspark import SparkContext

    gateway = SparkContext._gateway
    if gateway is not None:
        gateway.shutdown()
        gateway.proc.stdin.close()
        gateway.proc.wait(timeout=60)
        SparkContext._gateway = None
        SparkContext._jvm = None


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
