"""TF Serving's message classes and stubs, loaded without loading TensorFlow."""

from __future__ import annotations

from automl.bare_tensorflow import bare_tensorflow

with bare_tensorflow():
    from tensorflow_serving.apis import (
        get_model_metadata_pb2,
        get_model_status_pb2,
        model_service_pb2_grpc,
        predict_pb2,
        prediction_service_pb2_grpc,
    )

GetModelMetadataRequest = get_model_metadata_pb2.GetModelMetadataRequest
SignatureDefMap = get_model_metadata_pb2.SignatureDefMap
GetModelStatusRequest = get_model_status_pb2.GetModelStatusRequest
ModelVersionStatus = get_model_status_pb2.ModelVersionStatus
PredictRequest = predict_pb2.PredictRequest
PredictResponse = predict_pb2.PredictResponse
ModelServiceStub = model_service_pb2_grpc.ModelServiceStub
PredictionServiceStub = prediction_service_pb2_grpc.PredictionServiceStub
