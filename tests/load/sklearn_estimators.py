"""Estimators of scikit-learn, three or more of a kind with other options, and tables for them."""

import warnings
from functools import cache

import numpy as np
from sklearn import (
    calibration,
    cluster,
    compose,
    covariance,
    cross_decomposition,
    decomposition,
    discriminant_analysis,
    dummy,
    ensemble,
    feature_selection,
    frozen,
    gaussian_process,
    impute,
    kernel_approximation,
    kernel_ridge,
    linear_model,
    mixture,
    model_selection,
    multiclass,
    multioutput,
    naive_bayes,
    neighbors,
    neural_network,
    pipeline,
    preprocessing,
    random_projection,
    semi_supervised,
    svm,
)
from sklearn import tree as trees
from sklearn.gaussian_process import kernels

SEED = {"random_state": 0}
rng = np.random.default_rng(0)


def table(features, classes, rows=60, seed=0):
    """Clouds of points, a class each; -1 makes one number a row, -2 two numbers a row."""
    source = np.random.default_rng(seed)
    x = source.normal(size=(rows, features)) * 2
    if classes < 0:
        y = np.stack([x[:, 0] * (k + 1) + np.abs(x[:, 1]) for k in range(-classes)], axis=1)
        y = y + source.normal(size=y.shape)
        return x, y[:, 0] if classes == -1 else y
    y = source.integers(0, classes, rows)
    x[:, 0] += 2 * y
    x[:, 1] -= y
    return x, y


TWO, THREE, FOUR = table(3, 2), table(3, 3), table(4, 4)
NAMED = THREE[0], np.array(["oak", "ash", "elm"])[THREE[1]]
ONE_NUMBER, TWO_NUMBERS = table(3, -1), table(3, -2)
COUNTS = ONE_NUMBER[0], np.abs(np.round(ONE_NUMBER[1]))
POSITIVE = ONE_NUMBER[0], np.abs(ONE_NUMBER[1]) + 0.1
SIGNS = THREE[0], np.stack([THREE[1] > 0, THREE[1] > 1, THREE[0][:, 1] > 0], axis=1).astype(int)
ALL = {"two": TWO, "three": THREE}


def over(maker, tables, *options):
    """A fit for each option, the tables in turn."""
    with warnings.catch_warnings():
        # some of them are deprecated
        warnings.simplefilter("ignore")
        return [(maker(**o), tables[i % len(tables)]) for i, o in enumerate(options)]


def classes(maker, *options):
    return over(maker, (TWO, THREE, NAMED), *options)


def numbers(maker, *options):
    return over(maker, (ONE_NUMBER,), *options)


def features(maker, *options):
    return over(maker, (ONE_NUMBER,), *options)


def linear(maker, *options):
    return numbers(maker, *(options or ({}, {"fit_intercept": False}, {})))


def targets(maker, *options):
    return over(maker, (TWO_NUMBERS,), *(options or ({}, {"fit_intercept": False}, {})))


def pairs(*fits):
    return list(fits)


def logistic():
    return linear_model.LogisticRegression()


def stump(**options):
    return trees.DecisionTreeClassifier(max_depth=2, **SEED, **options)


K = kernels
FITS = {
    "LinearRegression": linear(linear_model.LinearRegression)
    + over(linear_model.LinearRegression, (TWO_NUMBERS,), {}, {"fit_intercept": False}),
    "Ridge": linear(linear_model.Ridge, {}, {"alpha": 9.0}, {"fit_intercept": False}),
    "RidgeCV": linear(linear_model.RidgeCV),
    "Lasso": linear(linear_model.Lasso, {}, {"alpha": 0.1}, {"fit_intercept": False}),
    "LassoCV": linear(linear_model.LassoCV),
    "ElasticNet": linear(linear_model.ElasticNet, {}, {"l1_ratio": 0.9}, {"alpha": 0.1}),
    "ElasticNetCV": linear(linear_model.ElasticNetCV),
    "Lars": linear(linear_model.Lars),
    "LarsCV": linear(linear_model.LarsCV),
    "LassoLars": linear(linear_model.LassoLars),
    "LassoLarsCV": linear(linear_model.LassoLarsCV),
    "LassoLarsIC": linear(linear_model.LassoLarsIC),
    "OrthogonalMatchingPursuit": linear(linear_model.OrthogonalMatchingPursuit),
    "OrthogonalMatchingPursuitCV": linear(linear_model.OrthogonalMatchingPursuitCV),
    "MultiTaskLasso": targets(linear_model.MultiTaskLasso),
    "MultiTaskLassoCV": targets(linear_model.MultiTaskLassoCV),
    "MultiTaskElasticNet": targets(linear_model.MultiTaskElasticNet),
    "MultiTaskElasticNetCV": targets(linear_model.MultiTaskElasticNetCV),
    "LinearSVR": linear(svm.LinearSVR, SEED, {"C": 9.0, **SEED}, {"epsilon": 1.0, **SEED}),
    "BayesianRidge": linear(linear_model.BayesianRidge),
    "ARDRegression": linear(linear_model.ARDRegression),
    "HuberRegressor": linear(linear_model.HuberRegressor),
    "TheilSenRegressor": linear(linear_model.TheilSenRegressor, SEED, SEED, SEED),
    "QuantileRegressor": linear(
        linear_model.QuantileRegressor, {"alpha": 0}, {"quantile": 0.9, "alpha": 0.01}, {}
    ),
    "SGDRegressor": linear(linear_model.SGDRegressor, SEED, {"loss": "huber"}, {"penalty": "l1"}),
    "PassiveAggressiveRegressor": linear(linear_model.PassiveAggressiveRegressor, SEED, SEED, SEED),
    "RANSACRegressor": linear(
        linear_model.RANSACRegressor,
        *(SEED, SEED, {"estimator": linear_model.Ridge(), "min_samples": 9, **SEED}),
    ),
    "PoissonRegressor": over(linear_model.PoissonRegressor, (COUNTS,), {}, {"alpha": 0.1}, {}),
    "GammaRegressor": over(linear_model.GammaRegressor, (POSITIVE,), {}, {"alpha": 0.1}, {}),
    "TweedieRegressor": over(
        linear_model.TweedieRegressor,
        (POSITIVE,),
        *({"power": 0}, {"power": 1.5}, {"power": 0, "link": "log"}),
    ),
    "PLSRegression": over(
        cross_decomposition.PLSRegression,
        (ONE_NUMBER, TWO_NUMBERS),
        *({}, {}, {"n_components": 1}, {"scale": False}),
    ),
    "PLSCanonical": over(
        cross_decomposition.PLSCanonical, (TWO_NUMBERS,), {}, {"scale": False}, {}
    ),
    "CCA": over(cross_decomposition.CCA, (TWO_NUMBERS,), {}, {"n_components": 1}, {"scale": False}),
    "PLSSVD": over(cross_decomposition.PLSSVD, (TWO_NUMBERS,), {}, {"scale": False}, {}),
    "LogisticRegression": classes(linear_model.LogisticRegression, {}, {}, {"C": 9.0}),
    "LogisticRegressionCV": classes(linear_model.LogisticRegressionCV, {}, {}, {}),
    "SGDClassifier": classes(
        linear_model.SGDClassifier,
        *(SEED, {"loss": "log_loss", **SEED}, {"loss": "modified_huber", **SEED}),
    ),
    "Perceptron": classes(linear_model.Perceptron, {}, {}, {"penalty": "l2"}),
    "PassiveAggressiveClassifier": classes(
        linear_model.PassiveAggressiveClassifier, SEED, SEED, SEED
    ),
    "RidgeClassifier": classes(linear_model.RidgeClassifier, {}, {}, {"fit_intercept": False}),
    "RidgeClassifierCV": classes(linear_model.RidgeClassifierCV, {}, {}, {}),
    "LinearSVC": classes(svm.LinearSVC, SEED, SEED, {"fit_intercept": False, **SEED}),
    "LinearDiscriminantAnalysis": classes(
        discriminant_analysis.LinearDiscriminantAnalysis,
        *({}, {"solver": "eigen"}, {"solver": "lsqr", "shrinkage": "auto"}),
    ),
    "QuadraticDiscriminantAnalysis": classes(
        discriminant_analysis.QuadraticDiscriminantAnalysis, {}, {}, {"reg_param": 0.5}
    ),
    "SGDOneClassSVM": over(linear_model.SGDOneClassSVM, (TWO, THREE), SEED, SEED, {"nu": 0.1}),
    "MLPRegressor": numbers(
        neural_network.MLPRegressor,
        *({"hidden_layer_sizes": (5,), "activation": a, **SEED} for a in ("relu", "tanh")),
        {"hidden_layer_sizes": (4, 3), "activation": "logistic", **SEED},
    ),
    "MLPClassifier": classes(
        neural_network.MLPClassifier,
        *({"hidden_layer_sizes": (5,), "activation": a, **SEED} for a in ("relu", "tanh")),
        {"hidden_layer_sizes": (4, 3), "activation": "logistic", **SEED},
    ),
    "SVC": classes(
        svm.SVC,
        *({}, {}, {"kernel": "poly", "degree": 2, "coef0": 1}, {"kernel": "linear"}),
        *({"kernel": "sigmoid"}, {"decision_function_shape": "ovo"}),
        *({"gamma": 0.5}, {"break_ties": True}, {"gamma": "auto"}),
    ),
    "NuSVC": classes(svm.NuSVC, {"nu": 0.1}, {"nu": 0.1}, {"nu": 0.1, "kernel": "poly"}),
    "SVR": numbers(svm.SVR, {}, {"kernel": "poly"}, {"kernel": "linear"}, {"kernel": "sigmoid"}),
    "NuSVR": numbers(svm.NuSVR, {}, {"kernel": "poly"}, {"kernel": "sigmoid"}),
    "OneClassSVM": over(svm.OneClassSVM, (TWO,), {}, {"kernel": "poly"}, {"kernel": "linear"}),
    "KernelRidge": over(
        kernel_ridge.KernelRidge,
        (ONE_NUMBER, TWO_NUMBERS),
        *({}, {"kernel": "rbf"}, {"kernel": "poly", "degree": 2}, {"kernel": "laplacian"}),
        {"kernel": "sigmoid", "gamma": 0.1},
    ),
    "Nystroem": features(
        kernel_approximation.Nystroem,
        *({"n_components": 5, **SEED}, {"n_components": 4, "kernel": "poly", "degree": 2, **SEED}),
        {"n_components": 3, "kernel": "laplacian", "gamma": 0.2, **SEED},
    ),
    "KernelPCA": features(
        decomposition.KernelPCA,
        *({"n_components": 2}, {"n_components": 3, "kernel": "rbf"}),
        {"n_components": 2, "kernel": "poly", "degree": 2},
    ),
    "RBFSampler": features(
        kernel_approximation.RBFSampler,
        *({"n_components": 5, **SEED}, {"gamma": 0.1, "n_components": 3, **SEED}),
        {"gamma": "scale", "n_components": 3, **SEED},
    ),
    "GaussianProcessRegressor": over(
        gaussian_process.GaussianProcessRegressor,
        (ONE_NUMBER, TWO_NUMBERS),
        *({"alpha": 0.1}, {"alpha": 0.1, "normalize_y": True}),
        {"kernel": K.ConstantKernel(2.0) * K.RBF([1.0, 2.0, 3.0]) + K.WhiteKernel()},
        {"kernel": K.Matern(nu=0.5), "alpha": 0.1, "optimizer": None},
        {"kernel": K.Matern(nu=1.5) + K.DotProduct(), "alpha": 0.1, "optimizer": None},
        {"kernel": K.Matern(nu=2.5), "alpha": 0.1, "optimizer": None},
        {"kernel": K.RationalQuadratic(alpha=0.7), "alpha": 0.1, "optimizer": None},
        {"kernel": K.DotProduct() ** 2, "alpha": 0.1, "optimizer": None},
        {"kernel": K.ExpSineSquared(periodicity=3.0), "alpha": 9.0, "optimizer": None},
    ),
    "GaussianProcessClassifier": [
        *classes(
            gaussian_process.GaussianProcessClassifier,
            *({}, {}, {"kernel": K.Matern(nu=1.5), "optimizer": None}),
            {"kernel": K.DotProduct() + K.RBF(2.0), "optimizer": None},
        ),
        (gaussian_process.GaussianProcessClassifier(multi_class="one_vs_one"), THREE),
    ],
    "DecisionTreeClassifier": classes(
        trees.DecisionTreeClassifier, SEED, {"max_depth": 3, **SEED}, {"criterion": "entropy"}
    ),
    "DecisionTreeRegressor": [
        *numbers(
            trees.DecisionTreeRegressor,
            SEED,
            {"max_depth": 3, **SEED},
            {"criterion": "absolute_error"},
        ),
        (trees.DecisionTreeRegressor(criterion="poisson", **SEED), COUNTS),
    ],
    "ExtraTreeClassifier": classes(trees.ExtraTreeClassifier, SEED, SEED, {"max_depth": 3, **SEED}),
    "ExtraTreeRegressor": numbers(trees.ExtraTreeRegressor, SEED, {"max_depth": 3, **SEED}, SEED),
    "RandomForestClassifier": classes(
        ensemble.RandomForestClassifier,
        *({"n_estimators": 8, **SEED}, {"n_estimators": 5, "max_depth": 3, **SEED}),
        {"n_estimators": 4, "bootstrap": False, **SEED},
    ),
    "RandomForestRegressor": over(
        ensemble.RandomForestRegressor,
        (ONE_NUMBER, TWO_NUMBERS),
        *({"n_estimators": 8, **SEED}, {"n_estimators": 5, "max_depth": 3, **SEED}),
        {"n_estimators": 4, "bootstrap": False, **SEED},
    ),
    "ExtraTreesClassifier": classes(
        ensemble.ExtraTreesClassifier, *({"n_estimators": n, **SEED} for n in (3, 4, 5))
    ),
    "ExtraTreesRegressor": numbers(
        ensemble.ExtraTreesRegressor, *({"n_estimators": n, **SEED} for n in (3, 4, 5))
    ),
    "GradientBoostingClassifier": classes(
        ensemble.GradientBoostingClassifier,
        *({"n_estimators": 5, **SEED}, {"n_estimators": 3, "init": "zero", **SEED}),
        {"n_estimators": 4, "subsample": 0.7, **SEED},
        {"n_estimators": 4, "loss": "exponential", **SEED},
    ),
    "GradientBoostingRegressor": numbers(
        ensemble.GradientBoostingRegressor,
        *({"n_estimators": 5, **SEED}, {"n_estimators": 4, "loss": "huber", **SEED}),
        {"n_estimators": 4, "init": "zero", **SEED},
    ),
    "HistGradientBoostingClassifier": classes(
        ensemble.HistGradientBoostingClassifier,
        *({"max_iter": 4, "min_samples_leaf": 3}, {"max_iter": 3, "min_samples_leaf": 3}, {}),
    ),
    "HistGradientBoostingRegressor": over(
        ensemble.HistGradientBoostingRegressor,
        (POSITIVE,),
        *({"max_iter": 4, "min_samples_leaf": 3}, {"loss": "poisson", "max_iter": 3}),
        *({"loss": "gamma", "max_iter": 3}, {"loss": "absolute_error", "max_iter": 3}),
    ),
    "IsolationForest": over(
        ensemble.IsolationForest,
        (TWO, THREE),
        *({"n_estimators": 10, **SEED}, {"n_estimators": 7, "contamination": 0.1, **SEED}),
        {"n_estimators": 5, "max_features": 2, "max_samples": 20, **SEED},
    ),
    "KNeighborsClassifier": classes(
        neighbors.KNeighborsClassifier,
        *({}, {"weights": "distance"}, {"n_neighbors": 1}, {"p": 1}),
        *({"metric": "chebyshev"}, {"algorithm": "brute"}),
    ),
    "KNeighborsRegressor": over(
        neighbors.KNeighborsRegressor,
        (ONE_NUMBER, TWO_NUMBERS),
        *({}, {"weights": "distance"}, {"n_neighbors": 1}, {"p": 1, "weights": "distance"}),
    ),
    "RadiusNeighborsClassifier": classes(
        neighbors.RadiusNeighborsClassifier,
        *({"radius": 2.0, "outlier_label": "most_frequent"}, {"radius": 50.0}),
        {"radius": 2.0, "weights": "distance", "outlier_label": "most_frequent"},
    ),
    "RadiusNeighborsRegressor": numbers(
        neighbors.RadiusNeighborsRegressor,
        *({"radius": 3.0}, {"radius": 4.0, "weights": "distance"}, {"radius": 2.0, "p": 1}),
    ),
    "NearestCentroid": classes(
        neighbors.NearestCentroid,
        *({}, {"metric": "manhattan"}, {"priors": "empirical"}, {"shrink_threshold": 0.2}),
    ),
    "GaussianNB": classes(naive_bayes.GaussianNB, {}, {}, {"var_smoothing": 0.1}),
    "BernoulliNB": classes(naive_bayes.BernoulliNB, {}, {"binarize": 1.0}, {"alpha": 2.0}),
    "MultinomialNB": over(
        naive_bayes.MultinomialNB,
        ((np.abs(TWO[0]), TWO[1]), (np.abs(THREE[0]), THREE[1])),
        *({}, {}, {"alpha": 2.0}),
    ),
    "ComplementNB": over(
        naive_bayes.ComplementNB,
        ((np.abs(TWO[0]), TWO[1]), (np.abs(THREE[0]), THREE[1])),
        *({}, {}, {"norm": True}),
    ),
    "GaussianMixture": features(
        mixture.GaussianMixture,
        *({"n_components": 2, "covariance_type": c, **SEED} for c in ("full", "tied", "diag")),
        {"n_components": 3, "covariance_type": "spherical", **SEED},
    ),
    "KMeans": features(
        cluster.KMeans, *({"n_clusters": n, "n_init": 1, **SEED} for n in (2, 3, 4))
    ),
    "MiniBatchKMeans": features(
        cluster.MiniBatchKMeans, *({"n_clusters": n, "n_init": 1, **SEED} for n in (2, 3, 4))
    ),
    "MeanShift": features(cluster.MeanShift, {}, {"bandwidth": 2.0}, {"bandwidth": 4.0}),
    "EllipticEnvelope": features(
        covariance.EllipticEnvelope, SEED, {"contamination": 0.3, **SEED}, SEED
    ),
    "DummyRegressor": over(
        dummy.DummyRegressor,
        (ONE_NUMBER, TWO_NUMBERS),
        *({}, {"strategy": "median"}, {"strategy": "quantile", "quantile": 0.2}),
    ),
    "DummyClassifier": over(
        dummy.DummyClassifier,
        (TWO, THREE),
        *({}, {"strategy": "most_frequent"}, {"strategy": "constant", "constant": 1}),
    ),
    "StandardScaler": features(
        preprocessing.StandardScaler, {}, {"with_mean": False}, {"with_std": False}
    ),
    "RobustScaler": features(
        preprocessing.RobustScaler, {}, {"with_centering": False}, {"unit_variance": True}
    ),
    "MinMaxScaler": features(
        preprocessing.MinMaxScaler, {}, {"clip": True}, {"feature_range": (-3, 2)}
    ),
    "MaxAbsScaler": features(preprocessing.MaxAbsScaler, {}, {"clip": True}, {}),
    "Normalizer": features(preprocessing.Normalizer, *({"norm": n} for n in ("l1", "l2", "max"))),
    "Binarizer": features(preprocessing.Binarizer, {}, {"threshold": 0.5}, {"threshold": -1.0}),
    "PowerTransformer": over(
        preprocessing.PowerTransformer,
        (ONE_NUMBER, (np.abs(TWO[0]) + 0.1, None), ONE_NUMBER),
        *({}, {"method": "box-cox"}, {"standardize": False}),
    ),
    "QuantileTransformer": over(
        preprocessing.QuantileTransformer,
        (ONE_NUMBER, (np.round(ONE_NUMBER[0]), None)),
        *({"n_quantiles": 20}, {"n_quantiles": 30}, {"n_quantiles": 5}, {"n_quantiles": 50}),
    ),
    "PolynomialFeatures": features(
        preprocessing.PolynomialFeatures,
        *({}, {"degree": 3, "include_bias": False}, {"interaction_only": True}),
        {"degree": (2, 4)},
    ),
    "SplineTransformer": features(
        preprocessing.SplineTransformer,
        *({}, {"extrapolation": "linear"}, {"extrapolation": "continue", "degree": 2}),
        *({"extrapolation": "periodic"}, {"include_bias": False, "knots": "quantile"}),
        *({"degree": 0}, {"degree": 1}),
    ),
    "KBinsDiscretizer": features(
        preprocessing.KBinsDiscretizer,
        *({"quantile_method": "linear"}, {"encode": "ordinal", "strategy": "uniform"}),
        {"encode": "onehot-dense", "n_bins": [2, 3, 4], "strategy": "kmeans", **SEED},
    ),
    "SimpleImputer": [
        *features(
            impute.SimpleImputer,
            *({}, {"strategy": "median"}, {"strategy": "constant", "fill_value": 1.0}),
        ),
        (impute.SimpleImputer(missing_values=0), (np.round(ONE_NUMBER[0]), None)),
    ],
    "KNNImputer": features(impute.KNNImputer, {}, {"n_neighbors": 2}, {"weights": "distance"}),
    "FunctionTransformer": features(
        preprocessing.FunctionTransformer,
        *({}, {"func": np.tanh}, {"func": np.exp2}, {"func": np.square}, {"func": np.sign}),
        *({"func": np.arcsinh}, {"func": np.expm1}, {"func": np.floor}, {"func": np.fabs}),
    ),
    "PCA": features(
        decomposition.PCA, {}, {"n_components": 2, "whiten": True}, {"n_components": 0.9}
    ),
    "IncrementalPCA": features(
        decomposition.IncrementalPCA, {}, {"n_components": 2, "whiten": True}, {"n_components": 1}
    ),
    "TruncatedSVD": features(
        decomposition.TruncatedSVD, SEED, {"n_components": 1, **SEED}, {"algorithm": "arpack"}
    ),
    "FastICA": features(decomposition.FastICA, SEED, {"n_components": 2, **SEED}, SEED),
    "FactorAnalysis": features(
        decomposition.FactorAnalysis, {"n_components": 2}, {"n_components": 1}, {}
    ),
    "GaussianRandomProjection": features(
        random_projection.GaussianRandomProjection,
        *({"n_components": n, **SEED} for n in (1, 2, 3)),
    ),
    "NeighborhoodComponentsAnalysis": over(
        neighbors.NeighborhoodComponentsAnalysis,
        (TWO, THREE),
        *(SEED, {"n_components": 2, **SEED}, SEED),
    ),
    "VarianceThreshold": features(
        feature_selection.VarianceThreshold, {}, {"threshold": 3.9}, {"threshold": 0.1}
    ),
    "SelectKBest": classes(feature_selection.SelectKBest, *({"k": k} for k in (1, 2, "all"))),
    "SelectPercentile": classes(
        feature_selection.SelectPercentile, *({"percentile": p} for p in (40, 70, 100))
    ),
    "SelectFpr": classes(feature_selection.SelectFpr, *({"alpha": a} for a in (0.1, 0.5, 0.9))),
    "SelectFdr": classes(feature_selection.SelectFdr, *({"alpha": a} for a in (0.1, 0.5, 0.9))),
    "SelectFwe": classes(feature_selection.SelectFwe, *({"alpha": a} for a in (0.1, 0.5, 0.9))),
    "GenericUnivariateSelect": classes(
        feature_selection.GenericUnivariateSelect,
        *({"mode": "k_best", "param": k} for k in (1, 2, 3)),
    ),
    "SelectFromModel": classes(
        feature_selection.SelectFromModel,
        *({"estimator": logistic()}, {"estimator": stump()}),
        {"estimator": logistic(), "threshold": "0.5*mean"},
    ),
    "SequentialFeatureSelector": classes(
        feature_selection.SequentialFeatureSelector,
        *({"estimator": logistic(), "n_features_to_select": k, "cv": 2} for k in (1, 2, 1)),
    ),
    "RFE": classes(
        feature_selection.RFE, *({"estimator": e} for e in (logistic(), stump(), svm.LinearSVC()))
    ),
    "RFECV": classes(feature_selection.RFECV, *({"estimator": logistic(), "cv": 2},) * 3),
    "Pipeline": pairs(
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
    ),
    "FeatureUnion": pairs(
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
    ),
    "ColumnTransformer": pairs(
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
    ),
    "FrozenEstimator": [
        (frozen.FrozenEstimator(e.fit(*t)), t)
        for e, t in (
            (logistic(), TWO),
            (linear_model.Ridge(), ONE_NUMBER),
            (preprocessing.StandardScaler(), TWO),
        )
    ],
    "GridSearchCV": pairs(
        (model_selection.GridSearchCV(svm.SVC(), {"C": [1, 2]}, cv=2), TWO),
        (model_selection.GridSearchCV(linear_model.Ridge(), {"alpha": [1, 2]}, cv=2), ONE_NUMBER),
        (model_selection.GridSearchCV(stump(), {"criterion": ["gini"]}, cv=2), NAMED),
    ),
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
        *({"n_estimators": 8, **SEED}, {"n_estimators": 5, "estimator": stump(), **SEED}),
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
        {"max_features": 0.7, "n_estimators": 3, **SEED},
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
    "OneVsRestClassifier": classes(
        multiclass.OneVsRestClassifier,
        *({"estimator": e} for e in (logistic(), stump(), svm.SVC(), linear_model.Ridge())),
    ),
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
    ),
}
"""Estimators with tables, by the name of their class."""


@cache
def fitted(name, number):
    """One of the estimators, fitted."""
    estimator, (x, y) = FITS[name][number]
    with warnings.catch_warnings():
        # convergence is not the point here
        warnings.simplefilter("ignore")
        return estimator.fit(x, y), x
