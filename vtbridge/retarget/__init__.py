"""From a tracked face to the 45 pose parameters: calibrated, mapped, smoothed, never abrupt."""
