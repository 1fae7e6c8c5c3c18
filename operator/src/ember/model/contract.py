"""Field types with the limits and patterns of EMR's API.

Source: botocore's ``emr-serverless/2021-07-13/service-2.json``; ``tests/unit/model/test_contract.py`` compares them.
AWS matches a pattern against the whole value, so patterns are anchored here. A pattern which says no more than "not
blank" is written without anchors: in ours ``.`` does not match a line break.
"""

from typing import Annotated

from pydantic import Field

NOT_BLANK = r"\S"

CpuSize = Annotated[str, Field(min_length=1, max_length=15, pattern=r"^[1-9][0-9]*(\s)?(vCPU|vcpu|VCPU)?$")]
MemorySize = Annotated[str, Field(min_length=1, max_length=15, pattern=r"^[1-9][0-9]*(\s)?(GB|gb|gB|Gb)?$")]
DiskSize = Annotated[str, Field(min_length=1, max_length=15, pattern=r"^[1-9][0-9]*(\s)?(GB|gb|gB|Gb)$")]
DiskType = Annotated[
    str, Field(max_length=30, pattern=r"^(SHUFFLE_OPTIMIZED|[Ss]huffle_[Oo]ptimized|STANDARD|[Ss]tandard)$")
]

WorkerTypeName = Annotated[str, Field(min_length=1, max_length=50, pattern=r"^[a-zA-Z]+[-_]*[a-zA-Z]+$")]
ReleaseLabel = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9._/-]+$")]
ApplicationName = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9._/#-]+$")]
ImageUri = Annotated[str, Field(min_length=1, max_length=1024, pattern=NOT_BLANK)]

TagKey = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9 /_.:=+@-]+$")]
TagValue = Annotated[str, Field(max_length=256, pattern=r"^[A-Za-z0-9 /_.:=+@-]*$")]
Tags = Annotated[dict[TagKey, TagValue], Field(max_length=200)]

KeyArn = Annotated[
    str,
    Field(
        min_length=20,
        max_length=2048,
        pattern=r"^arn:(aws[a-zA-Z0-9-]*):kms:[a-zA-Z0-9\-]*:([0-9]{12}):key\/[a-zA-Z0-9-]+$",
    ),
]
RoleArn = Annotated[
    str,
    Field(
        min_length=20,
        max_length=2048,
        pattern=r"^arn:(aws[a-zA-Z0-9-]*):iam::([0-9]{12}):(role((\/)|(\/[!-\x7f]+\/))[\w+=,.@-]+)$",
    ),
]
Arn = Annotated[str, Field(min_length=20, max_length=2048)]

# EMR lets a URI be any text; Ember writes logs to nothing but an S3 endpoint, so it says so at once.
S3Uri = Annotated[str, Field(min_length=1, max_length=10280, pattern=r"^s3://[a-z0-9][a-z0-9.-]*[a-z0-9](/.*)?$")]
