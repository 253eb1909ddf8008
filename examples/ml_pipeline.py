"""Train a classifier: load, clean, split, train, evaluate.

    alula run examples/ml_pipeline.py ml_pipeline

prints the accuracy of a random forest that tells malignant tumours from benign ones. Run it again: the model comes from
the cache, because training gets the same rows and the same settings. ``--trees 50`` trains anew.

The data set ships inside scikit-learn, so no network is needed.
"""

from pathlib import Path
from typing import NamedTuple

import joblib
import pandas as pd
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import accuracy_score
from sklearn.model_selection import train_test_split

from alula import File, Resources, current_context, file_types, run, task, workflow


class Split(NamedTuple):
    """Rows to learn from, and rows that the model never sees."""

    training: pd.DataFrame
    test: pd.DataFrame


class Result(NamedTuple):
    """What the workflow is for."""

    accuracy: float
    model: File


@task
def export() -> file_types.ParquetFile:
    """Write the data set to a Parquet file.

    scikit-learn's copy is spotless, so some rows are repeated and some readings lost, as in data from a laboratory.
    """
    table = load_breast_cancer(as_frame=True).frame
    table = pd.concat([table, table.iloc[::40]], ignore_index=True)
    table.loc[::25, "mean radius"] = None
    path = Path(current_context().working_directory) / "tumours.parquet"
    table.to_parquet(path)
    return file_types.ParquetFile(path)


@task
def clean(raw: file_types.ParquetFile) -> pd.DataFrame:
    """Keep each complete row once. The file is a path: it is here when pandas opens it."""
    return pd.read_parquet(raw).dropna().drop_duplicates(ignore_index=True)


@task
def split(table: pd.DataFrame, test_share: float) -> Split:
    training, test = train_test_split(table, test_size=test_share, random_state=0, stratify=table["target"])
    return Split(training, test)


# The model is kept for equal rows and settings as long as this code stays the same. A failed attempt is tried again.
@task(cache=True, retries=2, requests=Resources(cpu="1", mem="500Mi"), limits=Resources(cpu="2", mem="1Gi"))
def train(table: pd.DataFrame, trees: int) -> File:
    print(f"training {trees} trees on {len(table)} rows")
    model = RandomForestClassifier(n_estimators=trees, random_state=0)
    model.fit(table.drop(columns="target"), table["target"])
    path = Path(current_context().working_directory) / "model.joblib"
    joblib.dump(model, path)
    return File(path)


@task
def evaluate(model: File, table: pd.DataFrame) -> float:
    forest = joblib.load(model)
    return float(accuracy_score(table["target"], forest.predict(table.drop(columns="target"))))


@workflow
def ml_pipeline(trees: int = 100, test_share: float = 0.25) -> Result:
    """Train a random forest and say how well it does on rows that it has not seen."""
    rows = split(table=clean(raw=export()), test_share=test_share)
    model = train(table=rows.training, trees=trees)
    return Result(accuracy=evaluate(model=model, table=rows.test), model=model)


if __name__ == "__main__":
    finished = run(ml_pipeline)
    print(finished.tree())
    print(f"accuracy: {finished.result.accuracy:.3f}")
