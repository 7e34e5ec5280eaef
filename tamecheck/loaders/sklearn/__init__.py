"""scikit-learn estimators as exact graphs."""
