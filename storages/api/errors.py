"""The only table from a storage failure to an HTTP answer; config.errors wraps it into the envelope."""

from rest_framework import exceptions, status

from storages import errors

STATUS: dict[type[errors.StorageError], int] = {
    errors.EgressDenied: status.HTTP_403_FORBIDDEN,  # contract.md §4
    errors.ConfigInvalid: status.HTTP_400_BAD_REQUEST,
    errors.BadCredentials: status.HTTP_400_BAD_REQUEST,
    errors.AccessDenied: status.HTTP_403_FORBIDDEN,
    errors.NotFound: status.HTTP_404_NOT_FOUND,
    errors.RangeNotSatisfiable: status.HTTP_416_REQUESTED_RANGE_NOT_SATISFIABLE,
    errors.Unsupported: status.HTTP_400_BAD_REQUEST,
    errors.Malformed: status.HTTP_400_BAD_REQUEST,
    errors.Throttled: status.HTTP_429_TOO_MANY_REQUESTS,
    errors.TimedOut: status.HTTP_504_GATEWAY_TIMEOUT,
    errors.Unavailable: status.HTTP_502_BAD_GATEWAY,
}


def to_api_exception(error: errors.StorageError) -> exceptions.APIException:
    """The DRF exception for a failure while reading media; the status is that of the nearest kind in the table."""
    kind = next((kind for kind in type(error).__mro__ if kind in STATUS), None)
    answer = exceptions.APIException(str(error), code=error.code)
    answer.status_code = STATUS[kind] if kind else status.HTTP_502_BAD_GATEWAY
    if isinstance(error, errors.Throttled):
        answer.wait = error.retry_after or 1
    return answer


def to_validation_error(error: errors.StorageError) -> exceptions.APIException:
    """The 400 (403 for a refused address) that a failed connection check of a storage's settings is answered with."""
    if isinstance(error, errors.EgressDenied):
        answer = to_api_exception(error)
        answer.connection = describe(error)
        return answer
    return ConnectionFailed(error)


class ConnectionFailed(exceptions.APIException):
    """A validation error that also says for programs why; no ValidationError, since serializers make those anew."""

    status_code = status.HTTP_400_BAD_REQUEST

    def __init__(self, error: errors.StorageError) -> None:
        super().__init__({error.field or "non_field_errors": [str(error)]}, code=error.code)
        self.connection = describe(error)


def describe(error: errors.StorageError) -> dict[str, str | None]:
    """What a program can act on: the class of the failure, the verb that failed, the setting or the permission to change."""
    return {"code": error.code, "verb": error.verb or None, "field": error.field, "grant": error.grant or None}
