"""Scores on arrays and volumes."""

from segkit.evaluation.average_precision import Matches, match_objects
from segkit.evaluation.binary_scores import Confusion, binary_scores, count_confusion
from segkit.evaluation.class_scores import class_scores, count_classes
from segkit.evaluation.detection_score import DetectionErrors, detection_errors
from segkit.evaluation.evaluate_challenge import ChallengeEvaluation, evaluate_challenge
from segkit.evaluation.evaluate_classes import ClassEvaluation, evaluate_classes
from segkit.evaluation.evaluate_instances import InstanceEvaluation, evaluate_instances
from segkit.evaluation.evaluate_volumes import Evaluation, evaluate_volumes
from segkit.evaluation.evaluation_like import EvaluationLike
from segkit.evaluation.seg_score import parameter_efficiency, reference_jaccards

__all__ = [
    "ChallengeEvaluation",
    "ClassEvaluation",
    "Confusion",
    "DetectionErrors",
    "Evaluation",
    "EvaluationLike",
    "InstanceEvaluation",
    "Matches",
    "binary_scores",
    "class_scores",
    "count_classes",
    "count_confusion",
    "detection_errors",
    "evaluate_challenge",
    "evaluate_classes",
    "evaluate_instances",
    "evaluate_volumes",
    "match_objects",
    "parameter_efficiency",
    "reference_jaccards",
]
