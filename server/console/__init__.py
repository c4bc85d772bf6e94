"""The office's pages: what people in an office see and click. What they do lies in the features' services."""
