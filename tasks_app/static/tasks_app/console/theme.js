// Before the page is painted: what was chosen last, else what the system has.
{
  const chosen = localStorage.getItem("theme");
  if (chosen) document.documentElement.dataset.theme = chosen;
}
