"""Models of scikit-learn, three or more of a kind with other options."""

import numpy as np
from sklearn import (
    cluster,
    covariance,
    cross_decomposition,
    decomposition,
    discriminant_analysis,
    dummy,
    ensemble,
    gaussian_process,
    isotonic,
    kernel_approximation,
    kernel_ridge,
    linear_model,
    mixture,
    naive_bayes,
    neighbors,
    neural_network,
    svm,
)
from sklearn import tree as trees
from sklearn.gaussian_process import kernels

from tests.load.sklearn_tables import (
    COUNTS,
    GAPS,
    ONE_NUMBER,
    POSITIVE,
    SEED,
    SIGNS,
    THREE,
    TWO,
    TWO_NUMBERS,
    classes,
    features,
    linear,
    numbers,
    over,
    targets,
)

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
    "RidgeClassifier": [
        *classes(linear_model.RidgeClassifier, {}, {}, {"fit_intercept": False}),
        (linear_model.RidgeClassifier(), SIGNS),
    ],
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
    "MLPClassifier": [
        *classes(
            neural_network.MLPClassifier,
            *({"hidden_layer_sizes": (5,), "activation": a, **SEED} for a in ("relu", "tanh")),
            {"hidden_layer_sizes": (4, 3), "activation": "logistic", **SEED},
        ),
        (neural_network.MLPClassifier((4,), **SEED), SIGNS),
    ],
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
    "DecisionTreeClassifier": [
        *classes(
            trees.DecisionTreeClassifier, SEED, {"max_depth": 3, **SEED}, {"criterion": "entropy"}
        ),
        (trees.DecisionTreeClassifier(max_depth=3, **SEED), SIGNS),
    ],
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
    "RandomForestClassifier": [
        (ensemble.RandomForestClassifier(3, **SEED), GAPS),
        *classes(
            ensemble.RandomForestClassifier,
            *({"n_estimators": 8, **SEED}, {"n_estimators": 5, "max_depth": 3, **SEED}),
            {"n_estimators": 4, "bootstrap": False, **SEED},
        ),
        (ensemble.RandomForestClassifier(3, **SEED), SIGNS),
    ],
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
    "HistGradientBoostingClassifier": [
        *classes(
            ensemble.HistGradientBoostingClassifier,
            *({"max_iter": 4, "min_samples_leaf": 3}, {"max_iter": 3, "min_samples_leaf": 3}, {}),
        ),
        (ensemble.HistGradientBoostingClassifier(max_iter=3, min_samples_leaf=3), GAPS),
    ],
    "HistGradientBoostingRegressor": over(
        ensemble.HistGradientBoostingRegressor,
        (POSITIVE,),
        *({"max_iter": 4, "min_samples_leaf": 3}, {"loss": "poisson", "max_iter": 3}),
        *({"loss": "gamma", "max_iter": 3}, {"loss": "absolute_error", "max_iter": 3}),
    ),
    "IsolationForest": over(
        ensemble.IsolationForest,
        (TWO, THREE, (TWO[0][:41], None)),
        *({"n_estimators": 10, **SEED}, {"n_estimators": 7, "contamination": 0.1, **SEED}),
        {"n_estimators": 9, "contamination": 0.1, **SEED},
        {"n_estimators": 5, "max_features": 1, "max_samples": 20, **SEED},
    ),
    "KNeighborsClassifier": [
        *classes(
            neighbors.KNeighborsClassifier,
            *({}, {"weights": "distance"}, {"n_neighbors": 1}, {"p": 1}),
            *({"metric": "chebyshev"}, {"algorithm": "brute"}),
        ),
        (neighbors.KNeighborsClassifier(), SIGNS),
    ],
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
    "IsotonicRegression": over(
        isotonic.IsotonicRegression,
        ((ONE_NUMBER[0][:, :1], ONE_NUMBER[1]),),
        *({"out_of_bounds": "clip", **o} for o in ({}, {"increasing": False}, {"y_max": 3.0})),
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
}
"""Estimators with tables, by the name of their class."""
