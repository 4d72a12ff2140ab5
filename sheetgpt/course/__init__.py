"""The course beside the model: every demonstration as a tab of its own, in the plan language of the model."""
