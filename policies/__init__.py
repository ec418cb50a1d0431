"""The policy pack: zero-trust rules that the engine enforces at preview, over AWS and Kubernetes resources alike."""
