"""Profiles of whylogs as values of tasks, and the reports that ``flytekitplugins.whylogs`` draws of them."""

from __future__ import annotations

from typing import Any

import alula
from alula_kernel.contracts import ConversionContext, Converter, TypeRequest, TypeTransformer
from alula_kernel.errors import ValueConversionError
from alula_kernel.literals import Literal

from .stored_files import StoredAsFile


class _ProfileConverter(StoredAsFile):
    """Writes a profile as a file in whylogs' own format.

    Args:
        request: The type of profiles.
    """

    def __init__(self, request: TypeRequest) -> None:
        super().__init__(request, alula.File, "profile.bin")

    def encode(self, value: Any) -> bytes:
        """Return a profile in that format."""
        return bytes(value.serialize())

    def to_python(self, literal: Literal, context: ConversionContext) -> Any:
        """Read a profile.

        Raises:
            ValueConversionError: The file holds none.
            StorageError: It cannot be read.
        """
        return self._read(self.file.to_python(literal, context))

    def from_text(self, text: str, context: ConversionContext) -> Any:
        """Read a profile from the path or URI of its file.

        Raises:
            ValueConversionError: There is none.
        """
        return self._read(self.file.from_text(text, context))

    def _read(self, file: Any) -> Any:
        from whylogs.core.errors import DeserializationError  # type: ignore[import-not-found, unused-ignore]

        with open(file, "rb") as stream:
            data = stream.read()
        try:
            return self.python_type.deserialize(data)
        except DeserializationError as problem:
            raise ValueConversionError(
                f"the file {file} is no profile of whylogs: {problem}",
                hint="Give a file that the method write of a DatasetProfileView has made.",
            ) from None

    def to_html(self, value: Any) -> str:
        """Draw the summary of a profile."""
        from whylogs.viz.extensions.reports.profile_summary import (  # type: ignore[import-not-found, unused-ignore]
            ProfileSummaryReport,
        )

        return str(ProfileSummaryReport(target_view=value).report().data)


class WhylogsDatasetProfileTransformer(TypeTransformer):
    """Makes the converters."""

    name = "flyte-whylogs"
    python_types = ("whylogs.core.view.dataset_profile_view.DatasetProfileView",)

    def converter(self, request: TypeRequest) -> Converter[Any]:
        """Return the converter of a type."""
        return _ProfileConverter(request)


class WhylogsSummaryDriftRenderer:
    """Draws how far the columns of a data frame of pandas have drifted from those of another."""

    @staticmethod
    def to_html(reference_data: Any, target_data: Any) -> str:
        """Return the report as HTML.

        Args:
            reference_data: The data frame to compare with.
            target_data: The data frame to look at.
        """
        import whylogs  # type: ignore[import-not-found, unused-ignore]

        drawn = _visualizer()
        drawn.set_profiles(
            target_profile_view=whylogs.log(target_data).view(),
            reference_profile_view=whylogs.log(reference_data).view(),
        )
        return str(drawn.summary_drift_report().data)


class WhylogsConstraintsRenderer:
    """Draws which constraints on a profile hold."""

    @staticmethod
    def to_html(constraints: Any) -> str:
        """Return the report as HTML.

        Args:
            constraints: What whylogs' ``ConstraintsBuilder`` has built.
        """
        return str(_visualizer().constraints_report(constraints=constraints).data)


def _visualizer() -> Any:
    from whylogs.viz import NotebookProfileVisualizer  # type: ignore[import-not-found, unused-ignore]

    return NotebookProfileVisualizer()
