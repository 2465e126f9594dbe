"""What `--batching_parameters_file` may say.

Format: the message `BatchingParameters` in text form, of
tensorflow_serving/servables/tensorflow/session_bundle_config.proto, which no Python package has.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format
from google.protobuf import wrappers_pb2 as _wrappers

from automl.errors import UsageError
from automl.hardware import cores

_FILE = "automl_serving/batching_parameters.proto"


@dataclass(frozen=True)
class BatchingParameters:
    """How requests are batched; names and defaults are TF Serving's.

    Attributes:
        max_batch_size: The most rows that are run together.
        batch_timeout_micros: How long rows may wait for company while another batch runs.
        max_enqueued_batches: How many full batches may wait for each signature.
        num_batch_threads: How many batches run at a time, of all models; 0 for one a core.
    """

    max_batch_size: int = 1000
    batch_timeout_micros: int = 0
    max_enqueued_batches: int = 10
    num_batch_threads: int = 0

    @classmethod
    def read(cls, path: Path) -> BatchingParameters:
        """Reads a file.

        Raises:
            UsageError: If it cannot be read, has another field, or a value is out of range.
        """
        message = _message_class()()
        try:
            text_format.Parse(path.read_text(encoding="utf-8"), message)
        except (OSError, UnicodeDecodeError, text_format.ParseError) as error:
            names = ", ".join(field.name for field in fields(cls))
            raise UsageError(
                f"expected batching parameters ({names}) in text form in {path}, found otherwise "
                f"({error}); correct the file."
            ) from error
        given = {field.name: value.value for field, value in message.ListFields()}
        for name, value in given.items():
            least = 0 if name == "batch_timeout_micros" else 1
            if value < least:
                raise UsageError(
                    f"expected {name} of at least {least} in {path}, found {value}; correct it."
                )
        return cls(**given)

    @property
    def threads(self) -> int:
        """How many batches run at a time."""
        return self.num_batch_threads or cores()


def _message_class() -> Any:
    """Returns the message class, its fields numbered as TF Serving numbers them."""
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(_wrappers.DESCRIPTOR.serialized_pb)
    file = descriptor_pb2.FileDescriptorProto(
        name=_FILE, syntax="proto3", dependency=[_wrappers.DESCRIPTOR.name]
    )
    message = file.message_type.add(name="BatchingParameters")
    for number, field in enumerate(fields(BatchingParameters), 1):
        message.field.add(
            name=field.name,
            number=number,
            type=descriptor_pb2.FieldDescriptorProto.TYPE_MESSAGE,
            type_name=".google.protobuf.Int64Value",
            label=descriptor_pb2.FieldDescriptorProto.LABEL_OPTIONAL,
        )
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("BatchingParameters"))
