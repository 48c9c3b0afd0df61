"""The prediction endpoints."""

from collections.abc import Iterator

from django.db.models import QuerySet
from django.http import StreamingHttpResponse
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import status
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from projects.access import get_project
from tasks.access import get_prediction, get_task, visible
from tasks.api.races import settled
from tasks.api.schema import PredictionShape
from tasks.api.streams import json_array
from tasks.models import Prediction
from tasks.presenting import present_predictions
from tasks.serializers import PredictionWrite
from tasks.writing import delete_prediction, edit_prediction, predict

CHUNK = 1000
LIST_PARAMETERS = [OpenApiParameter(name, int) for name in ("task", "project", "task__project")]


class Predictions(APIView):
    @extend_schema(operation_id="predictions_list", parameters=LIST_PARAMETERS, responses=PredictionShape(many=True))
    def get(self, request: Request) -> StreamingHttpResponse:
        predictions = visible(request.user, Prediction)
        if task_id := request.query_params.get("task"):
            predictions = predictions.filter(task_id=get_task(request.user, task_id).pk)
        for name in ("project", "task__project"):
            if project_id := request.query_params.get(name):
                predictions = predictions.filter(project_id=get_project(request.user, project_id).pk)
        return StreamingHttpResponse(json_array(_pages(predictions)), content_type="application/json")

    @extend_schema(operation_id="predictions_create", request=PredictionWrite, responses={201: PredictionShape})
    def post(self, request: Request) -> Response:
        serializer = PredictionWrite(data=request.data)
        serializer.is_valid(raise_exception=True)
        fields = dict(serializer.validated_data)
        task = get_task(request.user, fields.pop("task"))
        with settled():
            prediction_id = predict(task, fields)
        return _answer(prediction_id, status.HTTP_201_CREATED)


def _pages(predictions: QuerySet[Prediction]) -> Iterator[list[dict]]:
    after = 0
    while page := present_predictions(predictions.filter(id__gt=after).order_by("id")[:CHUNK]):
        yield page
        after = page[-1]["id"]


def _answer(prediction_id: int, code: int = status.HTTP_200_OK) -> Response:
    for payload in present_predictions(Prediction.objects.filter(pk=prediction_id)):
        return Response(payload, status=code)
    raise NotFound("No Prediction matches the given query.")


class PredictionDetail(APIView):
    @extend_schema(operation_id="predictions_get", responses=PredictionShape)
    def get(self, request: Request, pk: int) -> Response:
        return _answer(get_prediction(request.user, pk).pk)

    @extend_schema(operation_id="predictions_update", request=PredictionWrite(partial=True), responses=PredictionShape)
    def patch(self, request: Request, pk: int) -> Response:
        prediction = get_prediction(request.user, pk)
        serializer = PredictionWrite(data=request.data, partial=True)
        serializer.is_valid(raise_exception=True)
        changes = dict(serializer.validated_data)
        if get_task(request.user, changes.pop("task", prediction.task_id)).pk != prediction.task_id:
            raise ValidationError({"task": ["a prediction stays with its task; create another one there"]})
        with settled():
            edit_prediction(prediction, {**changes, "updated_at": timezone.now()})
        return _answer(prediction.pk)

    @extend_schema(operation_id="predictions_delete", responses={204: None})
    def delete(self, request: Request, pk: int) -> Response:
        delete_prediction(get_prediction(request.user, pk))
        return Response(status=status.HTTP_204_NO_CONTENT)
