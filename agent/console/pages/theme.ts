// A classic script that runs before the first paint, so a remembered choice never flashes the other theme.
{
  const remembered = localStorage.getItem("clawdinator.theme");
  if (remembered === "light" || remembered === "dark") document.documentElement.dataset.theme = remembered;
}
