"""Estimators of scikit-learn that are made of others, three or more of a kind."""

import numpy as np
from sklearn import (
    calibration,
    cluster,
    compose,
    decomposition,
    ensemble,
    feature_selection,
    frozen,
    kernel_approximation,
    linear_model,
    model_selection,
    multiclass,
    multioutput,
    naive_bayes,
    pipeline,
    preprocessing,
    semi_supervised,
    svm,
)
from sklearn import tree as trees

from tests.load.sklearn_tables import (
    CATEGORIES,
    FOUR,
    NAMED,
    ONE_NUMBER,
    POSITIVE,
    SEED,
    SIGNS,
    THREE,
    TWO,
    TWO_NUMBERS,
    classes,
    logistic,
    numbers,
    over,
    stump,
)

FITS = {
    "RFE": classes(
        feature_selection.RFE, *({"estimator": e} for e in (logistic(), stump(), svm.LinearSVC()))
    ),
    "RFECV": classes(feature_selection.RFECV, *({"estimator": logistic(), "cv": 2},) * 3),
    "Pipeline": [
        (
            pipeline.make_pipeline(
                preprocessing.StandardScaler(), "passthrough", decomposition.PCA(2), logistic()
            ),
            THREE,
        ),
        (
            pipeline.make_pipeline(
                pipeline.make_pipeline(
                    "passthrough", preprocessing.PolynomialFeatures(), preprocessing.MinMaxScaler()
                ),
                linear_model.Ridge(),
            ),
            ONE_NUMBER,
        ),
        (
            pipeline.make_pipeline(
                preprocessing.StandardScaler(),
                kernel_approximation.RBFSampler(n_components=4, **SEED),
            ),
            TWO,
        ),
        (pipeline.make_pipeline(cluster.KMeans(3, n_init=1), svm.SVC()), TWO),
    ],
    "FeatureUnion": [
        (
            pipeline.FeatureUnion(
                [
                    ("pca", decomposition.PCA(2)),
                    ("same", "passthrough"),
                    ("gone", "drop"),
                    ("bins", preprocessing.KBinsDiscretizer(3, quantile_method="linear")),
                ],
                transformer_weights={"pca": 3},
            ),
            TWO,
        ),
        (pipeline.make_union(preprocessing.MinMaxScaler(), preprocessing.Normalizer()), TWO),
        (pipeline.make_union(preprocessing.StandardScaler()), TWO),
    ],
    "ColumnTransformer": [
        (
            compose.ColumnTransformer(
                [("a", preprocessing.StandardScaler(), [2, 0])], remainder="passthrough"
            ),
            FOUR,
        ),
        (
            compose.ColumnTransformer(
                [
                    ("a", preprocessing.StandardScaler(), slice(0, 2)),
                    ("b", "passthrough", [False, False, False, True]),
                    ("c", "drop", [2]),
                ],
                transformer_weights={"a": 2},
            ),
            FOUR,
        ),
        (
            compose.ColumnTransformer(
                [("a", pipeline.make_pipeline(preprocessing.PolynomialFeatures()), [1, 3])],
                remainder=preprocessing.MinMaxScaler(),
            ),
            FOUR,
        ),
        (
            pipeline.make_pipeline(
                compose.make_column_transformer((decomposition.PCA(1), [0, 1])), logistic()
            ),
            FOUR,
        ),
        (
            pipeline.make_pipeline(
                compose.make_column_transformer(
                    (preprocessing.OneHotEncoder(), [0, 1]),
                    (preprocessing.StandardScaler(), [2]),
                ),
                linear_model.Ridge(),
            ),
            CATEGORIES,
        ),
    ],
    "FrozenEstimator": [
        (frozen.FrozenEstimator(e.fit(*t)), t)
        for e, t in (
            (logistic(), TWO),
            (linear_model.Ridge(), ONE_NUMBER),
            (preprocessing.StandardScaler(), TWO),
        )
    ],
    "GridSearchCV": [
        (model_selection.GridSearchCV(svm.SVC(), {"C": [1, 2]}, cv=2), TWO),
        (model_selection.GridSearchCV(linear_model.Ridge(), {"alpha": [1, 2]}, cv=2), ONE_NUMBER),
        (model_selection.GridSearchCV(stump(), {"criterion": ["gini"]}, cv=2), NAMED),
    ],
    "RandomizedSearchCV": classes(
        model_selection.RandomizedSearchCV,
        *(
            {"estimator": e, "param_distributions": {}, "n_iter": 1, "cv": 2}
            for e in (logistic(),) * 3
        ),
    ),
    "SelfTrainingClassifier": over(
        semi_supervised.SelfTrainingClassifier,
        (TWO, THREE),
        *(
            {"estimator": logistic()},
            {"estimator": stump()},
            {"estimator": naive_bayes.GaussianNB()},
        ),
    ),
    "FixedThresholdClassifier": over(
        model_selection.FixedThresholdClassifier,
        (TWO,),
        *({"estimator": logistic(), "threshold": 0.8}, {"estimator": logistic(), "pos_label": 0}),
        {"estimator": svm.LinearSVC(), "threshold": 0.2, "pos_label": 0},
    ),
    "TunedThresholdClassifierCV": over(
        model_selection.TunedThresholdClassifierCV,
        (TWO,),
        *({"estimator": logistic()}, {"estimator": stump()}, {"estimator": svm.SVC(gamma=0.1)}),
    ),
    "AdaBoostClassifier": classes(
        ensemble.AdaBoostClassifier,
        *({"n_estimators": 4, **SEED}, {"n_estimators": 5, "estimator": stump(), **SEED}),
        {"n_estimators": 4, "learning_rate": 0.3, **SEED},
    ),
    "AdaBoostRegressor": numbers(
        ensemble.AdaBoostRegressor,
        *({"n_estimators": 6, **SEED}, {"n_estimators": 5, "loss": "square", **SEED}),
        {"n_estimators": 4, "estimator": linear_model.Ridge(), **SEED},
    ),
    "BaggingClassifier": classes(
        ensemble.BaggingClassifier,
        *({"n_estimators": 4, **SEED}, {"estimator": logistic(), "max_features": 2, **SEED}),
        {"estimator": svm.LinearSVC(), "n_estimators": 3, **SEED},
        {"estimator": linear_model.RidgeClassifier(), "n_estimators": 3, **SEED},
    ),
    "BaggingRegressor": over(
        ensemble.BaggingRegressor,
        (ONE_NUMBER, TWO_NUMBERS),
        *({"n_estimators": 4, **SEED}, {"estimator": linear_model.Ridge(), **SEED}),
        {"max_features": 1, "n_estimators": 3, **SEED},
    ),
    "VotingClassifier": classes(
        ensemble.VotingClassifier,
        *(
            {"estimators": [("a", logistic()), ("b", stump()), ("c", svm.SVC())]},
            {"estimators": [("a", logistic()), ("b", stump())], "voting": "soft"},
            {
                "estimators": [("a", logistic()), ("b", stump()), ("c", naive_bayes.GaussianNB())],
                "voting": "soft",
                "weights": [1, 2, 0.5],
            },
            {"estimators": [("a", logistic()), ("b", stump())], "weights": [1, 2]},
        ),
    ),
    "VotingRegressor": numbers(
        ensemble.VotingRegressor,
        *(
            {"estimators": [("a", linear_model.Ridge()), ("b", svm.SVR())], "weights": w}
            for w in (None, [1, 3], [0.2, 0.5])
        ),
    ),
    "StackingClassifier": classes(
        ensemble.StackingClassifier,
        *(
            {"estimators": [("a", logistic()), ("b", svm.LinearSVC())], "cv": 2},
            {"estimators": [("a", logistic()), ("b", stump())], "passthrough": True, "cv": 2},
            {
                "estimators": [("a", stump())],
                "final_estimator": svm.SVC(),
                "stack_method": "predict",
                "cv": 2,
            },
            {"estimators": [("a", stump()), ("b", "drop")], "final_estimator": stump(), "cv": 2},
        ),
    ),
    "StackingRegressor": numbers(
        ensemble.StackingRegressor,
        *(
            {"estimators": [("a", linear_model.Ridge()), ("b", svm.SVR())], "cv": 2, **o}
            for o in ({}, {"passthrough": True}, {"final_estimator": trees.DecisionTreeRegressor()})
        ),
    ),
    "OneVsRestClassifier": [
        *classes(
            multiclass.OneVsRestClassifier,
            *({"estimator": e} for e in (logistic(), stump(), svm.SVC(), linear_model.Ridge())),
        ),
        (multiclass.OneVsRestClassifier(logistic()), SIGNS),
    ],
    "OneVsOneClassifier": classes(
        multiclass.OneVsOneClassifier,
        *({"estimator": e} for e in (logistic(), stump(), svm.LinearSVC())),
    ),
    "OutputCodeClassifier": classes(
        multiclass.OutputCodeClassifier,
        *({"estimator": e, "code_size": 2, **SEED} for e in (logistic(), stump(), svm.SVC())),
    ),
    "MultiOutputRegressor": over(
        multioutput.MultiOutputRegressor,
        (TWO_NUMBERS,),
        *(
            {"estimator": e}
            for e in (linear_model.Ridge(), svm.SVR(), trees.DecisionTreeRegressor())
        ),
    ),
    "MultiOutputClassifier": over(
        multioutput.MultiOutputClassifier,
        (SIGNS,),
        *({"estimator": e} for e in (logistic(), stump(), svm.LinearSVC())),
    ),
    "RegressorChain": over(
        multioutput.RegressorChain,
        (TWO_NUMBERS,),
        *({"estimator": linear_model.Ridge()}, {"estimator": svm.SVR(), "order": [1, 0]}),
        {"estimator": linear_model.Ridge(), "cv": 2},
    ),
    "ClassifierChain": over(
        multioutput.ClassifierChain,
        (SIGNS,),
        *({"estimator": logistic()}, {"estimator": stump(), "order": [2, 0, 1]}),
        {"estimator": logistic(), "chain_method": "predict_proba", "order": [1, 2, 0]},
    ),
    "CalibratedClassifierCV": classes(
        calibration.CalibratedClassifierCV,
        *({"cv": 2}, {"method": "isotonic", "cv": 2}, {"estimator": stump(), "ensemble": False}),
        *({"estimator": logistic(), "method": "temperature", "cv": 2},) * 2,
        {"estimator": naive_bayes.GaussianNB(), "method": "isotonic", "cv": 2},
    ),
    "TransformedTargetRegressor": over(
        compose.TransformedTargetRegressor,
        (POSITIVE,),
        *({}, {"func": np.log, "inverse_func": np.exp}),
        {"regressor": svm.SVR(), "transformer": preprocessing.StandardScaler()},
        {"transformer": preprocessing.MinMaxScaler()},
        {"transformer": preprocessing.PowerTransformer()},
        {
            "transformer": pipeline.make_pipeline(
                preprocessing.FunctionTransformer(np.log1p, np.expm1), preprocessing.RobustScaler()
            )
        },
        {"transformer": preprocessing.PowerTransformer(method="box-cox")},
        {"transformer": preprocessing.QuantileTransformer(n_quantiles=9)},
    ),
}
"""Estimators with tables, by the name of their class."""
