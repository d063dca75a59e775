"""The policy templates of SAM: what they allow.

None of them names the service; without their actions each role that has one would be unknown as a whole.
Source: https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/serverless-policy-template-list.html
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from mantle_iam.iam.inventory import UNRESOLVED

_TEMPLATES: Final = """
AMIDescribePolicy ec2:DescribeImages
AWSSecretsManagerGetSecretValuePolicy secretsmanager:GetSecretValue
AWSSecretsManagerRotationPolicy secretsmanager:DescribeSecret,GetRandomPassword,GetSecretValue,PutSecretValue
 secretsmanager:UpdateSecretVersionStage
AcmGetCertificatePolicy acm:GetCertificate
AthenaQueryPolicy athena:BatchGetNamedQuery,BatchGetQueryExecution,CreateNamedQuery,DeleteNamedQuery
 athena:GetCatalogs,GetExecutionEngine,GetExecutionEngines,GetNamedQuery,GetNamespace
 athena:GetNamespaces,GetQueryExecution,GetQueryResults,GetQueryResultsStream,GetTable
 athena:GetTables,GetWorkGroup,ListNamedQueries,ListQueryExecutions,ListWorkGroups
 athena:StartQueryExecution,StopQueryExecution
CloudFormationDescribeStacksPolicy cloudformation:DescribeStacks
CloudWatchDashboardPolicy cloudwatch:GetDashboard,ListDashboards,ListMetrics,PutDashboard
CloudWatchDescribeAlarmHistoryPolicy cloudwatch:DescribeAlarmHistory
CloudWatchPutMetricPolicy cloudwatch:PutMetricData
CodeCommitCrudPolicy codecommit:BatchDescribeMergeConflicts,BatchGetCommits,BatchGetPullRequests
 codecommit:CancelUploadArchive,CreateBranch,CreateCommit,CreatePullRequest
 codecommit:CreateUnreferencedMergeCommit,DeleteBranch,DeleteCommentContent,DeleteFile
 codecommit:DescribeMergeConflicts,DescribePullRequestEvents,GetBlob,GetBranch,GetComment
 codecommit:GetCommentsForComparedCommit,GetCommentsForPullRequest,GetCommit
 codecommit:GetCommitHistory,GetCommitsFromMergeBase,GetDifferences,GetFile,GetFolder
 codecommit:GetMergeCommit,GetMergeConflicts,GetMergeOptions,GetObjectIdentifier
 codecommit:GetPullRequest,GetReferences,GetRepository,GetRepositoryTriggers,GetTree
 codecommit:GetUploadArchiveStatus,GitPull,GitPush,ListBranches,ListPullRequests
 codecommit:ListTagsForResource,MergeBranchesByFastForward,MergeBranchesBySquash
 codecommit:MergeBranchesByThreeWay,MergePullRequestByFastForward,MergePullRequestBySquash
 codecommit:MergePullRequestByThreeWay,PostCommentForComparedCommit
 codecommit:PostCommentForPullRequest,PostCommentReply,PutFile,PutRepositoryTriggers
 codecommit:TagResource,TestRepositoryTriggers,UntagResource,UpdateComment
 codecommit:UpdateDefaultBranch,UpdatePullRequestDescription,UpdatePullRequestStatus
 codecommit:UpdatePullRequestTitle,UpdateRepositoryDescription,UploadArchive
CodeCommitReadPolicy codecommit:BatchDescribeMergeConflicts,BatchGetCommits,BatchGetPullRequests
 codecommit:DescribeMergeConflicts,DescribePullRequestEvents,GetBlob,GetBranch,GetComment
 codecommit:GetCommentsForComparedCommit,GetCommentsForPullRequest,GetCommit
 codecommit:GetCommitHistory,GetCommitsFromMergeBase,GetDifferences,GetFile,GetFolder
 codecommit:GetMergeCommit,GetMergeConflicts,GetMergeOptions,GetObjectIdentifier
 codecommit:GetPullRequest,GetReferences,GetRepository,GetRepositoryTriggers,GetTree
 codecommit:GetUploadArchiveStatus,GitPull,ListBranches,ListPullRequests
 codecommit:ListTagsForResource,TestRepositoryTriggers
CodePipelineLambdaExecutionPolicy codepipeline:PutJobFailureResult,PutJobSuccessResult
CodePipelineReadOnlyPolicy codepipeline:ListPipelineExecutions
ComprehendBasicAccessPolicy comprehend:BatchDetectDominantLanguage,BatchDetectEntities,BatchDetectKeyPhrases
 comprehend:BatchDetectSentiment,DetectDominantLanguage,DetectEntities,DetectKeyPhrases comprehend:DetectSentiment
CostExplorerReadOnlyPolicy ce:GetCostAndUsage,GetDimensionValues,GetReservationCoverage
 ce:GetReservationPurchaseRecommendation,GetReservationUtilization,GetTags
DynamoDBBackupFullAccessPolicy
 dynamodb:CreateBackup,DeleteBackup,DescribeBackup,DescribeContinuousBackups,ListBackups
DynamoDBCrudPolicy dynamodb:BatchGetItem,BatchWriteItem,ConditionCheckItem,DeleteItem,DescribeTable,GetItem
 dynamodb:PutItem,Query,Scan,UpdateItem
DynamoDBReadPolicy dynamodb:BatchGetItem,DescribeTable,GetItem,Query,Scan
DynamoDBReconfigurePolicy dynamodb:UpdateTable
DynamoDBRestoreFromBackupPolicy dynamodb:BatchWriteItem,DeleteItem,GetItem,PutItem,Query,RestoreTableFromBackup,Scan
 dynamodb:UpdateItem
DynamoDBStreamReadPolicy dynamodb:DescribeStream,GetRecords,GetShardIterator,ListStreams
DynamoDBWritePolicy dynamodb:BatchWriteItem,PutItem,UpdateItem
EC2CopyImagePolicy ec2:CopyImage
EC2DescribePolicy ec2:DescribeInstances,DescribeRegions
EFSWriteAccessPolicy elasticfilesystem:ClientMount,ClientWrite
EKSDescribePolicy eks:DescribeCluster,ListClusters
EcsRunTaskPolicy ecs:RunTask
ElasticMapReduceAddJobFlowStepsPolicy elasticmapreduce:AddJobFlowSteps
ElasticMapReduceCancelStepsPolicy elasticmapreduce:CancelSteps
ElasticMapReduceModifyInstanceFleetPolicy elasticmapreduce:ListInstanceFleets,ModifyInstanceFleet
ElasticMapReduceModifyInstanceGroupsPolicy elasticmapreduce:ListInstanceGroups,ModifyInstanceGroups
ElasticMapReduceSetTerminationProtectionPolicy elasticmapreduce:SetTerminationProtection
ElasticMapReduceTerminateJobFlowsPolicy elasticmapreduce:TerminateJobFlows
ElasticsearchHttpPostPolicy es:ESHttpPost,ESHttpPut
EventBridgePutEventsPolicy events:PutEvents
FilterLogEventsPolicy logs:FilterLogEvents
FirehoseCrudPolicy firehose:CreateDeliveryStream,DeleteDeliveryStream,DescribeDeliveryStream,PutRecord
 firehose:PutRecordBatch,UpdateDestination
FirehoseWritePolicy firehose:PutRecord,PutRecordBatch
KMSDecryptPolicy kms:Decrypt
KMSEncryptPolicy kms:Encrypt
KMSEncryptPolicy_v2 kms:Encrypt,GenerateDataKey,GenerateDataKeyPair,GenerateDataKeyPairWithoutPlaintext
 kms:GenerateDataKeyWithoutPlaintext
KinesisCrudPolicy kinesis:AddTagsToStream,CreateStream,DecreaseStreamRetentionPeriod,DeleteStream
 kinesis:DescribeStream,DescribeStreamSummary,GetShardIterator
 kinesis:IncreaseStreamRetentionPeriod,ListTagsForStream,MergeShards,PutRecord,PutRecords
 kinesis:RemoveTagsFromStream,SplitShard
KinesisStreamReadPolicy kinesis:DescribeLimits,DescribeStream,DescribeStreamSummary,GetRecords,GetShardIterator
 kinesis:ListStreams
LambdaInvokePolicy lambda:InvokeFunction
MobileAnalyticsWriteOnlyAccessPolicy mobileanalytics:PutEvents
OrganizationsListAccountsPolicy organizations:ListAccounts
PinpointEndpointAccessPolicy mobiletargeting:GetEndpoint,UpdateEndpoint,UpdateEndpointsBatch
PollyFullAccessPolicy polly:DeleteLexicon,DescribeVoices,GetLexicon,ListLexicons,PutLexicon,SynthesizeSpeech
RekognitionDetectOnlyPolicy rekognition:DetectFaces,DetectLabels,DetectModerationLabels,DetectText
RekognitionFacesManagementPolicy rekognition:DeleteFaces,IndexFaces,ListFaces,SearchFaces,SearchFacesByImage
RekognitionFacesPolicy rekognition:CompareFaces,DetectFaces
RekognitionLabelsPolicy rekognition:DetectLabels,DetectModerationLabels
RekognitionNoDataAccessPolicy rekognition:CompareFaces,DetectFaces,DetectLabels,DetectModerationLabels
RekognitionReadPolicy rekognition:ListCollections,ListFaces,SearchFaces,SearchFacesByImage
RekognitionWriteOnlyAccessPolicy rekognition:CreateCollection,IndexFaces
Route53ChangeResourceRecordSetsPolicy route53:ChangeResourceRecordSets
S3CrudPolicy s3:DeleteObject,GetBucketLocation,GetLifecycleConfiguration,GetObject,GetObjectVersion
 s3:ListBucket,PutLifecycleConfiguration,PutObject,PutObjectAcl
S3FullAccessPolicy s3:DeleteObject,DeleteObjectTagging,DeleteObjectVersionTagging,GetBucketLocation
 s3:GetLifecycleConfiguration,GetObject,GetObjectAcl,GetObjectTagging,GetObjectVersion
 s3:GetObjectVersionTagging,ListBucket,PutLifecycleConfiguration,PutObject,PutObjectAcl
 s3:PutObjectTagging,PutObjectVersionTagging
S3ReadPolicy s3:GetBucketLocation,GetLifecycleConfiguration,GetObject,GetObjectVersion,ListBucket
S3WritePolicy s3:PutLifecycleConfiguration,PutObject,PutObjectAcl
SESBulkTemplatedCrudPolicy ses:GetIdentityVerificationAttributes,SendBulkTemplatedEmail,SendEmail,SendRawEmail
 ses:SendTemplatedEmail,VerifyEmailIdentity
SESBulkTemplatedCrudPolicy_v2 ses:GetIdentityVerificationAttributes,SendBulkTemplatedEmail,SendEmail,SendRawEmail
 ses:SendTemplatedEmail,VerifyEmailIdentity
SESCrudPolicy ses:GetIdentityVerificationAttributes,SendEmail,SendRawEmail,VerifyEmailIdentity
SESEmailTemplateCrudPolicy ses:CreateTemplate,DeleteTemplate,GetTemplate,ListTemplates,TestRenderTemplate
 ses:UpdateTemplate
SESSendBouncePolicy ses:SendBounce
SNSCrudPolicy sns:CreateTopic,ListSubscriptionsByTopic,Publish,SetTopicAttributes,Subscribe
SNSPublishMessagePolicy sns:Publish
SQSPollerPolicy sqs:ChangeMessageVisibility,ChangeMessageVisibilityBatch,DeleteMessage,DeleteMessageBatch
 sqs:GetQueueAttributes,ReceiveMessage
SQSSendMessagePolicy sqs:SendMessage*
SSMParameterReadPolicy ssm:DescribeParameters,GetParameter,GetParameters,GetParametersByPath
SSMParameterWithSlashPrefixReadPolicy ssm:DescribeParameters,GetParameter,GetParameters,GetParametersByPath
SageMakerCreateEndpointConfigPolicy sagemaker:CreateEndpointConfig
SageMakerCreateEndpointPolicy sagemaker:CreateEndpoint
ServerlessRepoReadWriteAccessPolicy serverlessrepo:CreateApplication,CreateApplicationVersion,GetApplication
 serverlessrepo:ListApplicationDependencies,ListApplicationVersions,ListApplications
 serverlessrepo:UpdateApplication
StepFunctionsCallbackPolicy states:SendTaskFailure,SendTaskHeartbeat,SendTaskSuccess
StepFunctionsExecutionPolicy states:StartExecution
StepFunctionsExecutionPolicy_v2 states:StartExecution,StartSyncExecution
TextractDetectAnalyzePolicy textract:AnalyzeDocument,DetectDocumentText,StartDocumentAnalysis
 textract:StartDocumentTextDetection
TextractGetResultPolicy textract:GetDocumentAnalysis,GetDocumentTextDetection
TextractPolicy textract:*
VPCAccessPolicy ec2:CreateNetworkInterface,DeleteNetworkInterface,DescribeNetworkInterfaces
 ec2:DetachNetworkInterface
"""


@cache
def _table() -> Mapping[str, tuple[str, ...]]:
    """Actions by name.  A row goes on where a line begins with a space."""
    found: dict[str, tuple[str, ...]] = {}
    for row in _TEMPLATES.strip().replace("\n ", " ").split("\n"):
        name, *groups = row.split()
        pairs = (group.split(":") for group in groups)
        found[name] = tuple(f"{service}:{action}" for service, actions in pairs for action in actions.split(","))
    return found


def template_document(name: str) -> dict[str, Any] | None:
    """What the policy template ``name`` allows, on resources that are not told; ``None``: there is no such template."""
    actions = _table().get(name)
    if actions is None:
        return None
    return {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": list(actions), "Resource": UNRESOLVED}],
    }
