"""The daemon that starts Spark's Python workers, for programs of Flyte: functions that they run are in such a program's modules.

Spark starts it by ``python -m``, by its property ``spark.python.daemon.module``.
"""

from __future__ import annotations

if __name__ == "__main__":
    from pyspark.daemon import manager

    import alula_flyte

    alula_flyte.install()
    manager()
