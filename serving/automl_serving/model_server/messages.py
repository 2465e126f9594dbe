"""TF Serving's messages, and TensorFlow's that they hold, loaded without loading TensorFlow."""

from __future__ import annotations

from automl.bare_tensorflow import bare_tensorflow

with bare_tensorflow():
    from tensorflow.core.example import example_pb2
    from tensorflow_serving.apis import (
        classification_pb2,
        get_model_metadata_pb2,
        get_model_status_pb2,
        inference_pb2,
        input_pb2,
        model_management_pb2,
        model_pb2,
        predict_pb2,
        prediction_log_pb2,
        regression_pb2,
    )
    from tensorflow_serving.config import model_server_config_pb2

ClassificationRequest = classification_pb2.ClassificationRequest
ClassificationResponse = classification_pb2.ClassificationResponse
Example = example_pb2.Example
GetModelMetadataRequest = get_model_metadata_pb2.GetModelMetadataRequest
GetModelMetadataResponse = get_model_metadata_pb2.GetModelMetadataResponse
GetModelStatusRequest = get_model_status_pb2.GetModelStatusRequest
GetModelStatusResponse = get_model_status_pb2.GetModelStatusResponse
Input = input_pb2.Input
ModelServerConfig = model_server_config_pb2.ModelServerConfig
ModelSpec = model_pb2.ModelSpec
ModelVersionStatus = get_model_status_pb2.ModelVersionStatus
MultiInferenceRequest = inference_pb2.MultiInferenceRequest
MultiInferenceResponse = inference_pb2.MultiInferenceResponse
PredictRequest = predict_pb2.PredictRequest
PredictResponse = predict_pb2.PredictResponse
PredictionLog = prediction_log_pb2.PredictionLog
RegressionRequest = regression_pb2.RegressionRequest
RegressionResponse = regression_pb2.RegressionResponse
ReloadConfigRequest = model_management_pb2.ReloadConfigRequest
ReloadConfigResponse = model_management_pb2.ReloadConfigResponse
SignatureDefMap = get_model_metadata_pb2.SignatureDefMap
