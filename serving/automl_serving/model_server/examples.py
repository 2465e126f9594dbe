"""Classify, Regress and MultiInference: requests of `tf.Example`s, for signatures made for them.

As tensorflow_serving/servables/tensorflow/{classifier,regressor,multi_inference}.cc answer. Such a
signature takes serialized examples; what automl exports has none, other SavedModels may.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from automl_serving import tensors
from automl_serving.model_server.errors import ServingError
from automl_serving.model_server.messages import (
    ClassificationRequest,
    ClassificationResponse,
    Example,
    MultiInferenceRequest,
    MultiInferenceResponse,
    RegressionRequest,
    RegressionResponse,
)
from automl_serving.model_server.servable import Servable

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

CLASSIFY = "tensorflow/serving/classify"
REGRESS = "tensorflow/serving/regress"


def classify(servable: Servable, request: ClassificationRequest) -> ClassificationResponse:
    """Runs a classification signature.

    Raises:
        ServingError: If the signature is another, the input is empty, or the outputs are not
            what such a signature returns.
    """
    name = request.model_spec.signature_name
    rows, outputs = _run(servable, name, CLASSIFY, request.input)
    labels, scores = outputs.get("classes"), outputs.get("scores")
    if labels is None and scores is None:
        raise _wrong_signature(servable, name, "an output 'classes' or 'scores'", sorted(outputs))
    _check_output("classes", labels, rows, 2, np.dtype(object))
    _check_output("scores", scores, rows, 2, np.dtype(np.float32))
    response = ClassificationResponse()
    servable.describe(response.model_spec, name)
    width = next(array.shape[1] for array in (labels, scores) if array is not None)
    for row in range(rows):
        classes = response.result.classifications.add().classes
        for column in range(width):
            one = classes.add()
            if labels is not None:
                one.label = labels[row, column].decode("utf-8", "replace")
            if scores is not None:
                one.score = float(scores[row, column])
    return response


def regress(servable: Servable, request: RegressionRequest) -> RegressionResponse:
    """Runs a regression signature.

    Raises:
        ServingError: As `classify`.
    """
    name = request.model_spec.signature_name
    rows, outputs = _run(servable, name, REGRESS, request.input)
    values = outputs.get("outputs")
    if values is None:
        raise _wrong_signature(servable, name, "an output 'outputs'", sorted(outputs))
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    _check_output("outputs", values, rows, 1, np.dtype(np.float32))
    response = RegressionResponse()
    servable.describe(response.model_spec, name)
    for value in values:
        response.result.regressions.add(value=float(value))
    return response


def multi_inference(servable: Servable, request: MultiInferenceRequest) -> MultiInferenceResponse:
    """Runs several signatures of one model on the same examples.

    Raises:
        ServingError: As `classify` and `regress`; UNIMPLEMENTED for another method.
    """
    response = MultiInferenceResponse()
    seen = set()
    for task in request.tasks:
        spec = task.model_spec
        if spec.name != request.tasks[0].model_spec.name:
            raise _invalid("tasks of one model", "several")
        if spec.signature_name in seen:
            raise _invalid("each signature once", f"{spec.signature_name[:200]!a} twice")
        seen.add(spec.signature_name)
        result = response.results.add()
        if task.method_name == CLASSIFY:
            one = classify(servable, ClassificationRequest(model_spec=spec, input=request.input))
            result.classification_result.CopyFrom(one.result)
        elif task.method_name == REGRESS:
            one = regress(servable, RegressionRequest(model_spec=spec, input=request.input))
            result.regression_result.CopyFrom(one.result)
        else:
            raise ServingError(
                "UNIMPLEMENTED",
                f"expected the method {CLASSIFY} or {REGRESS}, found "
                f"{task.method_name[:200]!a}; ask for one.",
            )
        result.model_spec.CopyFrom(one.model_spec)
    if not response.results:
        raise _invalid("at least one task", "none")
    return response


def _run(servable: Servable, name: str, method: str, given: Any) -> tuple[int, dict[str, Array]]:
    signature = _signature(servable, name)
    if signature.method_name != method:
        raise _wrong_signature(servable, name, f"the method {method}", signature.method_name)
    infos = signature.inputs
    if len(infos) != 1 or next(iter(infos.values())).dtype != tensors.STRING:
        raise _wrong_signature(servable, name, "one input of serialized examples", sorted(infos))
    serialized = _serialize(given)
    inputs = {next(iter(infos)): serialized}
    servable.check(name, inputs)
    return len(serialized), servable.run(name, inputs)


def _signature(servable: Servable, name: str) -> Any:
    try:
        return servable.signature(name)
    except ServingError as error:
        # Predict alone calls it FAILED_PRECONDITION.
        raise ServingError("INVALID_ARGUMENT", str(error)) from None


def _serialize(given: Any) -> Array:
    """Returns the examples of an `Input`, each with the context's features, as bytes `[N]`."""
    kind = given.WhichOneof("kind")
    if kind == "example_list_with_context":
        examples = list(given.example_list_with_context.examples)
        context = given.example_list_with_context.context
        merged = []
        for example in examples:
            one = Example()
            one.CopyFrom(context)
            one.MergeFrom(example)
            merged.append(one)
        examples = merged
    else:
        examples = list(given.example_list.examples)
    if not examples:
        raise _invalid("an input of at least one example", "none")
    serialized = np.empty(len(examples), np.object_)
    serialized[:] = [example.SerializeToString() for example in examples]
    return serialized


def _check_output(
    name: str, array: Array | None, rows: int, ndim: int, dtype: np.dtype[Any]
) -> None:
    if array is None:
        return
    if array.ndim != ndim or array.dtype != dtype or len(array) != rows:
        raise _invalid(
            f"{dtype.name} with {rows} rows and {ndim} axes for the output {name!r}",
            f"{array.dtype.name} of shape {list(array.shape)}",
        )


def _wrong_signature(servable: Servable, name: str, expected: str, found: Any) -> ServingError:
    return _invalid(
        f"{expected} in the signature {name or 'serving_default'!a} of {servable.name}",
        ascii(found),
    )


def _invalid(expected: str, found: str) -> ServingError:
    return ServingError(
        "INVALID_ARGUMENT", f"expected {expected}, found {found[:200]}; correct the request."
    )
