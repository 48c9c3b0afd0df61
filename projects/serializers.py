"""JSON form of projects, with Label Studio's keys; the label config is checked here, counters are read-only."""

from typing import Any

from rest_framework import serializers

from projects import label_config
from projects.fields import StorableObject
from projects.models import Project
from users.models import User

COUNTERS = (
    "task_number finished_task_number num_tasks_with_annotations total_annotations_number skipped_annotations_number"
    " ground_truth_number total_predictions_number useful_annotation_number queue_total queue_done"
).split()
SAMPLINGS = ("Sequential sampling", "Uniform sampling", "Uncertainty sampling")
SKIP_QUEUES = ("REQUEUE_FOR_ME", "REQUEUE_FOR_OTHERS", "IGNORE_SKIPPED")


class UserBrief(serializers.ModelSerializer):
    """A person as other objects mention them."""

    avatar = serializers.SerializerMethodField()

    class Meta:
        model = User
        fields = ["id", "first_name", "last_name", "email", "username", "avatar"]
        read_only_fields = fields

    def get_avatar(self, user: User) -> str | None:
        return None


class ConfigField(serializers.CharField):
    """A label config; blank and null become the empty config, errors name what is wrong with the XML."""

    def __init__(self, **options: Any) -> None:
        super().__init__(allow_null=True, allow_blank=True, max_length=2**20, trim_whitespace=False, **options)

    def run_validation(self, data: Any = serializers.empty) -> Any:
        value = super().run_validation(data)
        if value is None or not value.strip():
            return label_config.EMPTY
        try:
            label_config.check(value)
        except label_config.ConfigError as error:
            raise serializers.ValidationError(str(error)) from None
        return value


class ProjectSerializer(serializers.ModelSerializer):
    """All keys of Label Studio's project. Keys that this service has no use for are constant and ignored on input."""

    title = serializers.CharField(min_length=3, max_length=50, required=False, allow_blank=True)
    label_config = ConfigField(required=False)
    maximum_annotations = serializers.IntegerField(min_value=1, max_value=2**31 - 1, required=False)
    overlap_cohort_percentage = serializers.IntegerField(min_value=0, max_value=100, required=False)
    min_annotations_to_start_training = serializers.IntegerField(min_value=0, max_value=2**31 - 1, required=False)
    sampling = serializers.ChoiceField(SAMPLINGS, allow_null=True, required=False)
    skip_queue = serializers.ChoiceField(SKIP_QUEUES, allow_null=True, required=False)
    control_weights = StorableObject(allow_null=True, required=False)
    created_by = UserBrief(read_only=True)
    parsed_label_config = serializers.SerializerMethodField()
    config_has_control_tags = serializers.SerializerMethodField()
    config_suitable_for_bulk_annotation = serializers.SerializerMethodField()
    useful_annotation_number = serializers.IntegerField(source="total_annotations_number", read_only=True)
    queue_total = serializers.IntegerField(source="task_number", read_only=True)
    queue_done = serializers.IntegerField(source="finished_task_number", read_only=True)

    class Meta:
        model = Project
        exclude = ["last_inner_id", "updated_at"]
        read_only_fields = ["organization", *COUNTERS[:7]]

    def get_parsed_label_config(self, project: Project) -> dict[str, Any]:
        return label_config.parse(project.label_config or label_config.EMPTY)

    def get_config_has_control_tags(self, project: Project) -> bool:
        return bool(self.get_parsed_label_config(project))

    def get_config_suitable_for_bulk_annotation(self, project: Project) -> bool:
        return label_config.labels_whole_tasks(project.label_config or label_config.EMPTY)

    def to_representation(self, project: Project) -> dict[str, Any]:
        return {
            **super().to_representation(project),
            "start_training_on_annotation_update": False,
            "annotator_evaluation_enabled": False,
            "task_data_login": None,
            "task_data_password": None,
            "state": None,
            "assignment_settings": {},
            "review_settings": {},
        }


class CountsSerializer(serializers.ModelSerializer):
    """A project's id and counters only."""

    useful_annotation_number = serializers.IntegerField(source="total_annotations_number")
    queue_total = serializers.IntegerField(source="task_number")
    queue_done = serializers.IntegerField(source="finished_task_number")

    class Meta:
        model = Project
        fields = ["id", *COUNTERS]
        read_only_fields = fields


class Page(serializers.Serializer):
    """What every page has around its ``results``."""

    count = serializers.IntegerField(help_text="of all pages")
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)


class ProjectPage(Page):
    """Projects, the newest first unless told otherwise; with ``include`` only the keys asked for."""

    results = ProjectSerializer(many=True)


class CountsPage(Page):
    """Ids and counters of projects, in the same order."""

    results = CountsSerializer(many=True)


class ConfigCheck(serializers.Serializer):
    """A label config to be checked, nothing else."""

    label_config = serializers.CharField(max_length=2**20, trim_whitespace=False, allow_blank=True)
