"""Manual optimization: phases, windows, schedules, averages, calibration, and the checks before a training."""
