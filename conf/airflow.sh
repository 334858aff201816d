# Airflow on one machine, after `make airflow`, from the repository's root: . conf/airflow.sh
#
# What an Airflow elsewhere needs is the same: the DAGs of jobs/dags, the repository on PYTHONPATH, a
# spark-submit on PATH whose spark-defaults.conf has the jars, and the connection spark_default with
# the master. The variable playhead_profile chooses a profile of conf/pipeline.yaml.

export AIRFLOW_HOME="${AIRFLOW_HOME:-$PWD/build/airflow}"
export AIRFLOW__CORE__DAGS_FOLDER="$PWD/jobs/dags"
export AIRFLOW__CORE__LOAD_EXAMPLES=False
export AIRFLOW_CONN_SPARK_DEFAULT="${AIRFLOW_CONN_SPARK_DEFAULT:-{\"conn_type\": \"spark\", \"host\": \"local[2]\"}}"
export SCARF_ANALYTICS=false

SPARK_HOME="$(.venv/bin/python -c 'import pyspark; print(pyspark.__path__[0])')"
export SPARK_HOME
export SPARK_CONF_DIR="${SPARK_CONF_DIR:-$PWD/build/spark}"
export PYTHONPATH="$PWD"
export PLAYHEAD_LAKE__ROOT="${PLAYHEAD_LAKE__ROOT:-$PWD/build/lake}"
export PATH="$PWD/.venv-airflow/bin:$SPARK_HOME/bin:$PATH"
