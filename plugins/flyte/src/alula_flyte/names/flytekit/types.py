"""``flytekit.types`` and ``flytekit.deck``."""

from __future__ import annotations

from ...rows import Table, adapted, missing, same
from .shared import CORE, TYPES, adapter, core, internal

_FILE_FORMATS = tuple(
    f"{name}{kind}"
    for kind, names in {
        "File": (
            "CSV",
            "JSONL",
            "JoblibSerialized",
            "JPEGImage",
            "ONNX",
            "PDF",
            "PNGImage",
            "PythonPickled",
            "SVGImage",
            "TFRecord",
        ),
        "": ("HDF5EncodedFile", "HTMLPage", "PythonNotebook"),
    }.items()
    for name in names
)
_FILES: Table = {
    "FlyteFile": CORE["FlyteFile"],
    "FileExt": adapter("file_formats:FileExt", "can be asked", own="alula.file_types:FileExt"),
    **{name: same(f"alula.file_types:{name}") for name in _FILE_FORMATS},
}
_DATASETS: Table = {
    **core(
        *("StructuredDataset", "StructuredDatasetDecoder", "StructuredDatasetEncoder"),
        "StructuredDatasetTransformerEngine",
    ),
    **{
        name: adapter("datasets:registered_already", "Alula handles these data frames by itself")
        for name in (
            *("register_arrow_handlers", "register_csv_handlers", "register_pandas_handlers"),
            "lazy_import_structured_dataset_handler",
        )
    },
    "register_snowflake_handlers": missing(
        "there is no plugin for it yet", "Register a StructuredDatasetEncoder.", when_called=True
    ),
    "register_bigquery_handlers": adapter(
        "datasets:registered_already", "alula-bigquery, where it is installed, has data frames at bq:// by itself"
    ),
}
_RENDERERS: Table = {
    name: same(f"alula:{name}")
    for name in (
        "ArrowRenderer",
        "MarkdownRenderer",
        "PythonDependencyRenderer",
        "SourceCodeRenderer",
        "TopFrameRenderer",
    )
}

MODULES: dict[str, Table] = {
    "flytekit.types.directory": core(
        "FlyteDirectory",
        TensorboardLogs=adapted("alula:Directory", "a directory of any format"),
        TFRecordsDirectory=adapted("alula:Directory", "a directory of any format"),
        **internal("FlyteDirToMultipartBlobTransformer"),
    ),
    "flytekit.types.directory.types": core("FlyteDirectory", **internal("FlyteDirToMultipartBlobTransformer")),
    "flytekit.types.error": core("FlyteError"),
    "flytekit.types.error.error": core("FlyteError", **internal("ErrorTransformer")),
    "flytekit.types.file": {**_FILES, **internal("FlyteFilePathTransformer")},
    "flytekit.types.file.file": core("FlyteFile", **internal("FlyteFilePathTransformer", "noop")),
    "flytekit.types.file.image": {"PILImageTransformer": missing("Alula converts images by itself", when_called=True)},
    "flytekit.types.iterator": {"JSON": same("alula:JSON"), **internal("FlyteIterator")},
    "flytekit.types.iterator.iterator": internal("FlyteIterator", "IteratorTransformer"),
    "flytekit.types.iterator.json_iterator": {
        "JSON": same("alula:JSON"),
        **internal("JSONIterator", "JSONIteratorTransformer"),
    },
    "flytekit.types.numpy": {"NumpyArrayTransformer": missing("Alula converts arrays by itself", when_called=True)},
    "flytekit.types.pickle": {"FlytePickle": same("alula:Pickle"), "BatchSize": CORE["BatchSize"]},
    "flytekit.types.pickle.pickle": {
        "FlytePickle": same("alula:Pickle"),
        "FlytePickleTransformer": adapted(
            "alula_flyte.unknown_types:UnknownTypeTransformer",
            "pickles what it stands beside in Annotated",
            own="alula:Pickle",
        ),
    },
    "flytekit.types.schema": {
        "FlyteSchema": adapter("structured:FlyteSchema", "mashumaro knows it", own="alula:Schema"),
        "SchemaFormat": adapter("schemas:SchemaFormat", "a format is a text"),
        "SchemaOpenMode": adapter("schemas:SchemaOpenMode", "a schema can always be read and written"),
        **internal(
            "SchemaEngine",
            "SchemaHandler",
            "SchemaReader",
            "SchemaWriter",
            "LocalIOSchemaReader",
            "LocalIOSchemaWriter",
        ),
    },
    "flytekit.types.schema.types": {
        "FlyteSchema": adapter("structured:FlyteSchema", "mashumaro knows it", own="alula:Schema"),
        "SchemaFormat": adapter("schemas:SchemaFormat", "a format is a text"),
        "SchemaOpenMode": adapter("schemas:SchemaOpenMode", "a schema can always be read and written"),
        **internal("FlyteSchemaTransformer", "SchemaEngine", "SchemaHandler"),
    },
    "flytekit.types.schema.types_pandas": internal(
        "PandasDataFrameTransformer", "PandasSchemaReader", "PandasSchemaWriter"
    ),
    "flytekit.types.structured": _DATASETS,
    "flytekit.types.structured.structured_dataset": {
        **_DATASETS,
        "PARQUET": adapter("datasets:PARQUET", "a text"),
        "CSV": adapter("datasets:CSV", "a text"),
        "GENERIC_FORMAT": adapter("datasets:GENERIC_FORMAT", "a text"),
        "GENERIC_PROTOCOL": adapter("datasets:GENERIC_PROTOCOL", "a text"),
        "DF": adapted("typing:Any", "any data frame"),
        "DuplicateHandlerError": same("alula.errors:PluginError"),
        "StructuredDatasetType": TYPES["StructuredDatasetType"],
        **internal("extract_cols_and_format", "convert_schema_type_to_structured_dataset_type"),
    },
    "flytekit.types.structured.basic_dfs": {
        name: missing("Alula handles these data frames by itself", when_called=True)
        for name in (
            *("ArrowToParquetEncodingHandler", "CSVToPandasDecodingHandler", "PandasToCSVEncodingHandler"),
            *("PandasToParquetEncodingHandler", "ParquetToArrowDecodingHandler", "ParquetToPandasDecodingHandler"),
        )
    },
    "flytekit.deck": {**core("Deck", "DeckField"), **_RENDERERS},
    "flytekit.deck.deck": {**core("Deck", "DeckField"), **internal("_output_deck")},
    "flytekit.deck.renderer": {
        **_RENDERERS,
        "Renderable": adapted("typing:Any", "anything with to_html is a renderer"),
        "DEFAULT_MAX_ROWS": adapter("settings:DEFAULT_MAX_ROWS", "a number"),
        "DEFAULT_MAX_COLS": adapter("settings:DEFAULT_MAX_COLS", "a number"),
    },
}
