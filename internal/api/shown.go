package api

import "signalbox/internal/diagnosis"

// ShowDiagnosis returns a diagnosis as GET /v1/endpoints/{id}/diagnosis answers it, for the console, which shows the same.
func ShowDiagnosis(d diagnosis.Diagnosis) any { return showDiagnosis(d) }
