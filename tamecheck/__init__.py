"""Is a neural network tame? A proof, a certificate, and a small kernel that checks it."""
