"""The part of Kubernetes' ObjectMeta that Ember reads."""

from pydantic import AwareDatetime, Field

from ember.model.base import StatusModel


class ObjectMeta(StatusModel):
    """Identity and bookkeeping of a custom resource, as the API server wrote it."""

    name: str
    namespace: str = ""
    uid: str = ""
    generation: int = 0
    resource_version: str = ""
    creation_timestamp: AwareDatetime | None = None
    deletion_timestamp: AwareDatetime | None = None
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)
    finalizers: list[str] = Field(default_factory=list)
